"""What pman reports of a job: its Job, with the state that it is in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pman_core import JobInfo
from pman_core.kit.job_labels import IMAGE_LABEL, owner_in
from pman_core.kit.masking import masked
from pman_core.kit.names import FINGERPRINT_LABEL, JID_LABEL
from pman_k8s.escaping import unescaped
from pman_k8s.labels import annotations_of, recorded_pods, requested_labels
from pman_k8s.status.job import container_of, created_at, env_of, workers_of
from pman_k8s.status.state import JobState

Object = Mapping[str, Any]


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
