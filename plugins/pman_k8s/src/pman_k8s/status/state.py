"""The state of a job, and the job as pman reports it: pure translation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from pman_core import JobInfo, Reason, Status
from pman_core.kit.job_labels import IMAGE_LABEL, owner_in
from pman_core.kit.masking import masked
from pman_core.kit.names import FINGERPRINT_LABEL, JID_LABEL
from pman_core.kit.outcome import Outcome
from pman_core.kit.times import not_before
from pman_k8s.escaping import unescaped
from pman_k8s.labels import annotations_of, recorded_pods, requested_labels
from pman_k8s.status.job import container_of, created_at, env_of, workers_of

Object = Mapping[str, Any]


@attrs.frozen(kw_only=True)
class JobState:
    """What changes of a job while it lives.

    :param ends_it: whether pman ends the job with this state, rather than the cluster.
    :param pull: the image that it waits for, and why it could not be pulled; see ``labels.PULL``.
    :param pods_to_end: the names of pods that still run although the job has ended.
    """

    status: Status
    message: str
    reason: Reason | None = None
    exit_code: int | None = None
    started: datetime | None = None
    finished: datetime | None = None
    ends_it: bool = False
    pull: str = ""
    pods_to_end: tuple[str, ...] = ()


def ended(
    outcome: Outcome,
    created: datetime | None,
    started: datetime | None,
    finished: datetime | None,
    *,
    ends_it: bool = False,
) -> JobState:
    """The state of a job that has ended.

    :param finished: not before it began, whatever a node's clock says; ``None`` if not known.
    """
    return JobState(
        status=outcome.status,
        message=outcome.message,
        reason=outcome.reason,
        exit_code=outcome.exit_code,
        started=started,
        finished=not_before(started or created, finished) if finished else None,
        ends_it=ends_it,
    )


def info_of(job: Object, state: JobState) -> JobInfo:
    """The job that a Job is."""
    kept = annotations_of(job)
    container = container_of(job)
    return JobInfo(
        jid=kept[JID_LABEL],
        image=kept.get(IMAGE_LABEL, container["image"]),
        argv=tuple(unescaped(word) for word in container["command"]),
        status=state.status,
        message=masked(state.message, env_of(job)),  # the cluster may quote what it was asked
        fingerprint=kept.get(FINGERPRINT_LABEL, ""),
        exit_code=state.exit_code,
        reason=state.reason,
        created=created_at(job),
        started=state.started,
        finished=state.finished,
        labels=requested_labels(job),
        owner=owner_in(kept),
        native=_native(job),
    )


def _native(job: Object) -> str:
    """The Job's name; and its pod's, if there is only one and it is known: its log is there."""
    pods = recorded_pods(job) if workers_of(job) == 1 else ()
    return "/".join((job["metadata"]["name"], *pods[:1]))
