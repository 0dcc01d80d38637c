"""What a Job and its pods say, as pman tells of the job: pure translation.

API reference, JobStatus. Between the end of the pods and the condition of the Job there is a while,
longer since 1.31, where FailureTarget and SuccessCriteriaMet come before Failed and Complete: the
job is told as started until the last word. Only where another container of a pod outlives the job,
which it may do for ever, the end of the job's own container is the last word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from pman_core import JobInfo, Reason, Status
from pman_core.kit.masking import masked
from pman_core.kit.names import FINGERPRINT_LABEL, JID_LABEL
from pman_core.kit.times import not_before
from pman_k8s.escaping import unescaped
from pman_k8s.labels import (
    IMAGE,
    OWNER,
    annotations_of,
    recorded_pods,
    recorded_pull,
    requested_labels,
)
from pman_k8s.outcome import JobState
from pman_k8s.status.ends import (
    completion_time,
    end_before_sidecars,
    failed_pods,
    failure,
    lost_end,
    started_at,
    success_end,
)
from pman_k8s.status.job import conditions, container_of, created_at, env_of, workers_of
from pman_k8s.status.pending import NO_POD, Waiting, image_waits
from pman_k8s.status.pods import Pod

Object = Mapping[str, Any]


def info_of(job: Object, state: JobState) -> JobInfo:
    """The job that a Job is."""
    notes = annotations_of(job)
    mine = container_of(job)
    return JobInfo(
        jid=notes[JID_LABEL],
        image=notes.get(IMAGE, mine["image"]),
        argv=tuple(unescaped(word) for word in mine["command"]),
        status=state.status,
        message=masked(state.message, env_of(job)),  # the engine may quote what it was asked
        fingerprint=notes.get(FINGERPRINT_LABEL, ""),
        exit_code=state.exit_code,
        reason=state.reason,
        created=created_at(job),
        started=state.started,
        finished=state.finished,
        labels=requested_labels(job),
        owner=notes.get(OWNER),
        native=_native(job),
    )


def state_of(job: Object, found: Iterable[Object]) -> JobState:
    """The state of a Job without a verdict, by itself and its pods."""
    pods = [Pod(one) for one in found]
    ends = conditions(job)
    if "Complete" in ends:
        return success_end(job, completion_time(job), pods)
    if "Failed" in ends:
        return failure(job, ends["Failed"], pods)
    if not ends.keys() & {"FailureTarget", "SuccessCriteriaMet"}:
        end = end_before_sidecars(job, pods)
        if end is None and not any(pod.phase == "Failed" and not pod.is_deleted for pod in pods):
            end = lost_end(job, pods)
        if end:
            return end
    started = started_at(job, pods)
    # One that was evicted says nothing of its run any more; it may well have had one.
    failures = [pod.failure() for pod in failed_pods(pods)]
    if started or any(failure.reason is not Reason.CANNOT_START for failure in failures):
        return JobState(status=Status.STARTED, message=_progress(pods), started=started)
    if failures:
        return JobState(status=Status.NOT_STARTED, message=f"ending: {failures[0].message}")
    waiting = waits_for(job, pods)
    return JobState(
        status=Status.NOT_STARTED, message=waiting.message, reason=waiting.reason, waits=True
    )


def _progress(pods: Sequence[Pod]) -> str:
    """What to say of a job that has begun and not ended."""
    left = [pod for pod in pods if pod.phase not in ("Succeeded", "Failed")]
    if not left:
        return "ending: its processes have ended"
    if any(pod.is_unreachable for pod in left):
        return "running, as far as is known: its node does not answer"
    return "running"


def waits_for(job: Object, pods: Sequence[Pod]) -> Waiting:
    """What a job waits for that has not begun."""
    if "Suspended" in conditions(job):
        return Waiting("suspended: something else holds the job back", Reason.QUEUED)
    waiting = [pod.waits for pod in pods]
    # One that waits in vain, or for a reason, tells more than one that is being made.
    waiting.sort(key=lambda one: (not one.is_permanent, one.reason is None))
    return _recalled(job, waiting[0]) if waiting else NO_POD


def _recalled(job: Object, waiting: Waiting) -> Waiting:
    """A waiting for an image, with what was noted of the last attempt if nothing else tells it."""
    image, words = recorded_pull(job)
    if waiting.is_vague and waiting.image and waiting.image == image:
        return attrs.evolve(image_waits(image, words, waiting.prefix), is_vague=True)
    return waiting


def start_failure_end(job: Object, waiting: Waiting, now: datetime) -> JobState:
    """The end of a job that waits in vain."""
    is_image = waiting.reason is Reason.IMAGE_NOT_FOUND
    return JobState(
        status=Status.FAILED,
        message=waiting.message if is_image else f"cannot start: {waiting.message}",
        reason=waiting.reason,
        finished=not_before(created_at(job), now),
        ends_it=True,
    )


def start_deadline_end(
    job: Object, waiting: JobState, now: datetime, deadline_s: int
) -> JobState | None:
    """The end of a job that has waited for too long; ``None`` while it has not."""
    created = created_at(job)
    if created is None or (now - created).total_seconds() <= deadline_s:
        return None
    return JobState(
        status=Status.FAILED,
        message=f"not started within {deadline_s} s: {waiting.message}",
        reason=Reason.START_DEADLINE,
        finished=now,
        ends_it=True,
    )


def cancelled_end(job: Object, state: JobState, found: Iterable[Object], now: datetime) -> JobState:
    """The end of a job that a client cancels before it has ended.

    What has begun is ended on its nodes, so that its log stays. Otherwise there is nothing to keep,
    and the change that notes the end also keeps the job from starting.
    """
    on_nodes = tuple(pod.name for pod in map(Pod, found) if pod.acknowledged and state.started)
    begun = state.started or created_at(job)
    return JobState(
        status=Status.FAILED,
        message="cancelled",
        reason=Reason.CANCELLED,
        started=state.started,
        finished=not_before(begun, now),
        ends_it=not on_nodes,
        pods_to_end=on_nodes,
    )


def _native(job: Object) -> str:
    """The Job; and its pod, where there is only one and it is known: its log can be asked for."""
    pods = recorded_pods(job) if workers_of(job) == 1 else ()
    return "/".join((job["metadata"]["name"], *pods[:1]))
