"""Whether a job has begun or ended, and how, by its Job and pods: pure translation.

API reference, JobStatus. The Job's condition follows the end of its pods after a while. Since 1.31
this takes longer: FailureTarget and SuccessCriteriaMet come before Failed and Complete. Until the
last condition the job is reported as started. There is one exception: another container of a pod
may run on for ever after the job's own. Then the end of the job's own container decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from pman_core import Reason, Status
from pman_core.kit.outcome import Outcome, exited, lost
from pman_core.kit.times import not_before, parsed_time
from pman_k8s.labels import STARTED, annotations_of, recorded_pods
from pman_k8s.status.job import conditions, created_at, workers_of
from pman_k8s.status.pods import Pod
from pman_k8s.status.state import JobState, ended

Object = Mapping[str, Any]


def state_of(job: Object, pods: Sequence[Pod]) -> JobState | None:
    """The state of a job whose end is not recorded on its Job; ``None`` if it waits to begin."""
    ends = conditions(job)
    if "Complete" in ends:
        complete = job["status"].get("completionTime") or ends["Complete"].get("lastTransitionTime")
        return _success_end(job, parsed_time(complete), pods)
    if "Failed" in ends:
        return _failure_end(job, ends["Failed"], pods)
    if not ends.keys() & {"FailureTarget", "SuccessCriteriaMet"}:
        end = _end_before_sidecars(job, pods)
        if end:
            return end
        is_failing = any(pod.phase == "Failed" and not pod.is_deleted for pod in pods)
        loss = None if is_failing else _loss(job, pods)
        if loss:  # pman ends it: the cluster would replace a pod that somebody deleted
            return _failed(job, loss, pods, None, ends_it=True)
    started = _started_at(job, pods)
    # A pod that was evicted does not say whether its process ran; it may have.
    failures = [pod.failure() for pod in _failed_pods(pods)]
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


def _failed_pods(pods: Iterable[Pod]) -> list[Pod]:
    """The pods whose job failed, or that failed as a whole; the first to fail comes first."""
    failed = [pod for pod in pods if pod.has_failed]
    return sorted(failed, key=lambda pod: (pod.finished is None, str(pod.finished)))


def _loss(job: Object, pods: Sequence[Pod]) -> Outcome | None:
    """Why a job is lost; ``None`` if it is not."""
    for pod in pods:
        if pod.is_deleted and pod.phase != "Succeeded":
            return pod.loss()
    names = {pod.name for pod in pods}
    for name in sorted(set(recorded_pods(job)) - names):
        return lost(f"its pod {name} is gone")
    return _second_run(job, names)


def _known_runs(job: Object, pods: Sequence[Pod]) -> set[str]:
    """The pods that are known to have begun.

    Recorded pods that are gone count where the job has begun: nothing else is known of them.
    """
    begun = {pod.name for pod in pods if pod.started}
    gone = set(recorded_pods(job)) - {pod.name for pod in pods}
    return begun | gone if STARTED in annotations_of(job) else begun


def _second_run(job: Object, names: Collection[str]) -> Outcome | None:
    """Why a job is lost that has more pods than workers: two runs wrote to one output."""
    if len(names) <= workers_of(job):
        return None
    return lost(f"its run was begun anew ({', '.join(sorted(names))})")


def _end_before_sidecars(job: Object, pods: Sequence[Pod]) -> JobState | None:
    """The end of a job while other containers of its pods run on; they are ended with it.

    ``None`` if there are none, if a worker has not ended and none has failed, and if there is a
    pod too many: such a job is lost.
    """
    if not any(pod.sidecars_run_on for pod in pods) or len(pods) > workers_of(job):
        return None
    failed = _failed_pods(pods)
    if failed:
        end = _failed(job, _of_worker(job, failed[0], pods), pods, failed[0].finished)
    elif _all_succeeded(job, pods):
        end = _success_end(job, _last_end(pods), pods)
    else:
        return None
    return attrs.evolve(end, pods_to_end=tuple(pod.name for pod in pods if not pod.is_over))


def _all_succeeded(job: Object, pods: Sequence[Pod]) -> bool:
    """Whether the job of each worker ended with 0."""
    return sum(pod.has_succeeded for pod in pods) >= workers_of(job)


def _last_end(pods: Iterable[Pod]) -> datetime | None:
    return max((pod.finished for pod in pods if pod.finished), default=None)


def _success_end(job: Object, finished: datetime | None, pods: Sequence[Pod]) -> JobState:
    """The end of a job whose workers all ended with 0; a job that ran twice did not succeed."""
    twice = _second_run(job, _known_runs(job, pods))
    if twice:
        return _failed(job, twice, pods, None)
    status = job.get("status") or {}
    started = _started_at(job, pods) or not_before(
        created_at(job), parsed_time(status.get("startTime"))
    )
    return ended(exited(0), None, started, finished or started)


def _failure_end(job: Object, condition: Object, pods: Sequence[Pod]) -> JobState:
    """The end of a Job that has failed; another container than the job's may be the cause."""
    failed = _failed_pods(pods)
    failed_at = parsed_time(condition.get("lastTransitionTime"))
    if failed:
        why = _of_worker(job, failed[0], pods)
        return _failed(job, why, pods, failed[0].finished or failed_at)
    if _all_succeeded(job, pods):
        return _success_end(job, _last_end(pods) or failed_at, pods)
    deleted = [pod for pod in pods if pod.is_deleted]
    why = deleted[0].loss() if deleted else _unexplained(condition)
    for side in filter(None, (pod.side_failure for pod in pods)):
        why = attrs.evolve(why, message=f"{why.message}; {side}")
    return _failed(job, why, pods, failed_at)


def _of_worker(job: Object, pod: Pod, pods: Sequence[Pod]) -> Outcome:
    """Why a worker failed; with its number if there are several."""
    why = pod.failure()
    if len(pods) == 1:
        return why
    number = [one.name for one in pods].index(pod.name) + 1
    return attrs.evolve(why, message=f"worker {number} of {workers_of(job)}: {why.message}")


def _unexplained(condition: Object) -> Outcome:
    """The end of a Job whose pods are gone."""
    words = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
    if condition.get("reason") == "DeadlineExceeded":
        return Outcome(f"time limit: {words}", Reason.TIME_LIMIT)
    return lost(f"its pod is gone ({words})")


def _failed(
    job: Object,
    why: Outcome,
    pods: Sequence[Pod],
    finished: datetime | None,
    *,
    ends_it: bool = False,
) -> JobState:
    return ended(why, created_at(job), _started_at(job, pods), finished, ends_it=ends_it)


def _started_at(job: Object, pods: Iterable[Pod]) -> datetime | None:
    """When the first process began, but not before the Job was created.

    A node's clock may be behind the server's.
    """
    recorded = parsed_time(annotations_of(job).get(STARTED))
    if recorded:
        return recorded
    times = [pod.started for pod in pods if pod.started]
    return not_before(created_at(job), min(times)) if times else None
