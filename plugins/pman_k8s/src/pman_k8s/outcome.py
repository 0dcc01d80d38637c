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
from pman_k8s.labels import PODS, PULL, REST, STARTED, VERDICT, notes_of
from pman_k8s.status.job import env_of
from pman_k8s.times import moment

Payload = dict[str, Any]

#: An engine's words may be long; annotations have 256 KiB together.
MOST_WORDS = 4000

#: What a Job becomes that pman ends.
STOPPED = {"parallelism": 0, "activeDeadlineSeconds": 1}


@attrs.frozen(kw_only=True)
class Told:
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
    rest: tuple[str, ...] = ()


def verdict_of(job: Mapping[str, Any]) -> Told | None:
    """What was written down; ``None`` if nothing was."""
    text = notes_of(job).get(VERDICT)
    if not text:
        return None
    found = json.loads(text)
    reason = found.get("reason")
    known = reason in {one.value for one in Reason}  # a later pman may have more
    return Told(
        status=Status(found["status"]),
        message=found["message"],
        reason=Reason(reason) if known else None,
        exit_code=found.get("exit_code"),
        started=moment(found.get("started")),
        finished=moment(found.get("finished")),
    )


def verdict_patch(job: Mapping[str, Any], told: Told, pods: Iterable[str] = ()) -> Payload:
    """Writes an end down, and stops what pman ends: without parallelism no pod may run.

    Without pods a Job would never end for Kubernetes, whose clock of ``ttlSecondsAfterFinished``
    begins then; the deadline ends it.

    It fails where the Job has been changed since ``job`` was read.

    :param pods: the names of its pods, to ask them for their logs.
    """
    text = {
        "status": told.status.value,
        # Once it is cut, nobody knows a value by its beginning.
        "message": masked(told.message, env_of(job))[:MOST_WORDS],
        "reason": told.reason.value if told.reason else None,
        "exit_code": told.exit_code,
        "started": told.started.isoformat() if told.started else None,
        "finished": told.finished.isoformat() if told.finished else None,
    }
    known = {key: value for key, value in text.items() if value is not None}
    rest = {REST: " ".join(told.rest)} if told.rest else {}
    patch = _patch(job, {VERDICT: json.dumps(known), PODS: " ".join(pods), **rest})
    return {**patch, "spec": STOPPED} if told.ends_it else patch


def rest_patch() -> Payload:
    """Writes down that nothing is left to be ended."""
    return {"metadata": {"annotations": {REST: None}}}


def run_patch(job: Mapping[str, Any], told: Told, pods: Iterable[str]) -> Payload:
    """Writes down which pods there are, when the job began, and why its image cannot be had.

    It fails likewise.
    """
    known = {STARTED: told.started.isoformat()} if told.started else {}
    if told.pull:
        known[PULL] = told.pull
    return _patch(job, {PODS: " ".join(pods), **known})


def _patch(job: Mapping[str, Any], change: dict[str, str]) -> Payload:
    version = job["metadata"]["resourceVersion"]
    return {"metadata": {"resourceVersion": version, "annotations": change}}
