"""How a job ended, as it was first told, written down on its Job.

Pods go away: by hand, with their node, with the cluster's cleaning. What was told stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs

from pman_core import Reason, Status
from pman_core.kit.masking import masked
from pman_core.kit.times import parsed_time
from pman_k8s.labels import OUTCOME, PODS, PODS_TO_END, PULL, STARTED, annotations_of
from pman_k8s.status.job import env_of

Payload = dict[str, Any]

#: An engine's words may be long; annotations have 256 KiB together.
MAX_MESSAGE_CHARS = 4000

#: What a Job becomes that pman ends.
STOPPED = {"parallelism": 0, "activeDeadlineSeconds": 1}


@attrs.frozen(kw_only=True)
class JobState:
    """What is told of a job beside what it is.

    :param waits: whether it waits to begin, which it does not do for ever.
    :param ends_it: whether pman ends the job with this, rather than the engine.
    :param pull: the image that it waits for, and why it could not be had; see ``labels.PULL``.
    :param rest: the pods that still run although the end of their job is told, by name.
    """

    status: Status
    message: str
    reason: Reason | None = None
    exit_code: int | None = None
    started: datetime | None = None
    finished: datetime | None = None
    waits: bool = False
    ends_it: bool = False
    pull: str = ""
    pods_to_end: tuple[str, ...] = ()


def outcome_of(job: Mapping[str, Any]) -> JobState | None:
    """What was written down; ``None`` if nothing was."""
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


def outcome_patch(job: Mapping[str, Any], state: JobState, pods: Iterable[str] = ()) -> Payload:
    """Writes an end down, and stops what pman ends: without parallelism no pod may run.

    Without pods a Job would never end for Kubernetes, whose clock of ``ttlSecondsAfterFinished``
    begins then; the deadline ends it.

    It fails where the Job has been changed since ``job`` was read.

    :param pods: the names of its pods, to ask them for their logs.
    """
    text = {
        "status": state.status.value,
        # Once it is cut, nobody knows a value by its beginning.
        "message": masked(state.message, env_of(job))[:MAX_MESSAGE_CHARS],
        "reason": state.reason.value if state.reason else None,
        "exit_code": state.exit_code,
        "started": state.started.isoformat() if state.started else None,
        "finished": state.finished.isoformat() if state.finished else None,
    }
    known = {key: value for key, value in text.items() if value is not None}
    pods_to_end = {PODS_TO_END: " ".join(state.pods_to_end)} if state.pods_to_end else {}
    patch = _patch(job, {OUTCOME: json.dumps(known), PODS: " ".join(pods), **pods_to_end})
    return {**patch, "spec": STOPPED} if state.ends_it else patch


def terminated_patch() -> Payload:
    """Writes down that nothing is left to be ended."""
    return {"metadata": {"annotations": {PODS_TO_END: None}}}


def progress_patch(job: Mapping[str, Any], state: JobState, pods: Iterable[str]) -> Payload:
    """Writes down which pods there are, when the job began, and why its image cannot be had.

    It fails likewise.
    """
    known = {STARTED: state.started.isoformat()} if state.started else {}
    if state.pull:
        known[PULL] = state.pull
    return _patch(job, {PODS: " ".join(pods), **known})


def _patch(job: Mapping[str, Any], change: dict[str, str]) -> Payload:
    version = job["metadata"]["resourceVersion"]
    return {"metadata": {"resourceVersion": version, "annotations": change}}
