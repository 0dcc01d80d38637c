"""What pman records on the Job of a job: the patches that write it, and its end as recorded.

Pods go away: by hand, with their node, with the cluster's cleaning. An end that pman has reported
stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pman_core import Reason, Status
from pman_core.kit.masking import masked
from pman_core.kit.times import parsed_time
from pman_k8s.labels import OUTCOME, PODS, PODS_TO_END, PULL, STARTED, annotations_of
from pman_k8s.status.job import env_of
from pman_k8s.status.state import JobState

Payload = dict[str, Any]

#: An engine's words may be long; annotations have 256 KiB together.
MAX_MESSAGE_CHARS = 4000

#: What becomes of the spec of a Job that pman ends. Without parallelism no pod may run. Without
#: pods a Job would never end for Kubernetes, whose clock of ``ttlSecondsAfterFinished`` begins
#: with that end; the deadline ends it.
STOPPED = {"parallelism": 0, "activeDeadlineSeconds": 1}


def recorded_end(job: Mapping[str, Any]) -> JobState | None:
    """The end that is recorded on a Job; ``None`` if none is."""
    text = annotations_of(job).get(OUTCOME)
    if not text:
        return None
    found = json.loads(text)
    reason = found.get("reason")
    known = reason in {one.value for one in Reason}  # a later pman may have more
    return JobState(
        status=Status(found["status"]),
        message=found["message"],
        reason=Reason(reason) if known else None,
        exit_code=found.get("exit_code"),
        started=parsed_time(found.get("started")),
        finished=parsed_time(found.get("finished")),
    )


def end_patch(job: Mapping[str, Any], end: JobState, pods: Iterable[str] = ()) -> Payload:
    """The patch that records an end, and stops the Job if pman ends it.

    The server refuses it where the Job has been changed since ``job`` was read.

    :param pods: the names of its pods, to ask them for their logs.
    """
    text = {
        "status": end.status.value,
        # Masked before it is cut: the beginning of a value would not be recognized.
        "message": masked(end.message, env_of(job))[:MAX_MESSAGE_CHARS],
        "reason": end.reason.value if end.reason else None,
        "exit_code": end.exit_code,
        "started": end.started.isoformat() if end.started else None,
        "finished": end.finished.isoformat() if end.finished else None,
    }
    known = {key: value for key, value in text.items() if value is not None}
    to_end = {PODS_TO_END: " ".join(end.pods_to_end)} if end.pods_to_end else {}
    patch = _patch(job, {OUTCOME: json.dumps(known), PODS: " ".join(pods), **to_end})
    return {**patch, "spec": STOPPED} if end.ends_it else patch


def pods_ended_patch() -> Payload:
    """The patch that records that no pod is left to be ended."""
    return {"metadata": {"annotations": {PODS_TO_END: None}}}


def progress_patch(job: Mapping[str, Any], state: JobState, pods: Iterable[str]) -> Payload:
    """The patch that records the pods, the start, and why the image cannot be pulled.

    The server refuses it where the Job has been changed since ``job`` was read.
    """
    known = {STARTED: state.started.isoformat()} if state.started else {}
    if state.pull:
        known[PULL] = state.pull
    return _patch(job, {PODS: " ".join(pods), **known})


def _patch(job: Mapping[str, Any], change: dict[str, str]) -> Payload:
    version = job["metadata"]["resourceVersion"]
    return {"metadata": {"resourceVersion": version, "annotations": change}}
