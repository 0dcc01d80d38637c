"""The state of a job by its Job and pods: pure translation.

API reference, JobStatus. The Job's condition follows the end of its pods after a while. Since 1.31
this takes longer: FailureTarget and SuccessCriteriaMet come before Failed and Complete. Until the
last condition the job is reported as started. There is one exception: another container of a pod
may run on for ever after the job's own. Then the end of the job's own container decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from pman_core import Reason, Status
from pman_k8s.labels import recorded_pull
from pman_k8s.status.ends import (
    completion_time,
    end_before_sidecars,
    failed_pods,
    failure_end,
    lost_end,
    started_at,
    success_end,
)
from pman_k8s.status.job import conditions
from pman_k8s.status.pending import NO_POD, Waiting, image_waits
from pman_k8s.status.pods import Pod
from pman_k8s.status.state import JobState

Object = Mapping[str, Any]


def state_of(job: Object, pods: Sequence[Pod]) -> JobState | None:
    """The state of a job whose end is not recorded on its Job; ``None`` if it waits to begin."""
    ends = conditions(job)
    if "Complete" in ends:
        return success_end(job, completion_time(job), pods)
    if "Failed" in ends:
        return failure_end(job, ends["Failed"], pods)
    if not ends.keys() & {"FailureTarget", "SuccessCriteriaMet"}:
        end = end_before_sidecars(job, pods)
        if end is None and not any(pod.phase == "Failed" and not pod.is_deleted for pod in pods):
            end = lost_end(job, pods)
        if end:
            return end
    started = started_at(job, pods)
    # A pod that was evicted does not say whether its process ran; it may have.
    failures = [pod.failure() for pod in failed_pods(pods)]
    if started or any(failure.reason is not Reason.CANNOT_START for failure in failures):
        return JobState(status=Status.STARTED, message=_progress(pods), started=started)
    if failures:
        return JobState(status=Status.NOT_STARTED, message=f"ending: {failures[0].message}")
    return None


def _progress(pods: Sequence[Pod]) -> str:
    """The message of a job that has begun and not ended."""
    left = [pod for pod in pods if not pod.is_over]
    if not left:
        return "ending: its processes have ended"
    if any(pod.is_unreachable for pod in left):
        return "running, as far as is known: its node does not answer"
    return "running"


def waits_for(job: Object, pods: Sequence[Pod]) -> Waiting:
    """What a job that has not begun waits for."""
    if "Suspended" in conditions(job):
        return Waiting("suspended: something else holds the job back", Reason.QUEUED)
    waiting = [pod.waits for pod in pods]
    # A pod that can never start, or waits for a reason, says more than one that is being made.
    waiting.sort(key=lambda one: (not one.is_permanent, one.reason is None))
    return _recalled(job, waiting[0]) if waiting else NO_POD


def _recalled(job: Object, waiting: Waiting) -> Waiting:
    """What is waited for; of an image with the recorded words where the pod says nothing."""
    image, words = recorded_pull(job)
    if waiting.is_vague and waiting.image and waiting.image == image:
        return attrs.evolve(image_waits(image, words, waiting.prefix), is_vague=True)
    return waiting
