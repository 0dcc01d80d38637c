"""What a Job and its pods say, as pman tells of the job: pure translation.

API reference, JobStatus. Between the end of the pods and the condition of the Job there is a while,
longer since 1.31, where FailureTarget and SuccessCriteriaMet come before Failed and Complete: the
job is told as started until the last word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from pman_core import JobInfo, Reason, Status
from pman_core.names import FINGERPRINT_LABEL, JID_LABEL
from pman_k8s.dollars import unescaped
from pman_k8s.labels import IMAGE, STARTED, asked_labels, noted_pods, notes_of
from pman_k8s.moments import moment
from pman_k8s.payload import CONTAINER
from pman_k8s.pods import Failure, Pod
from pman_k8s.verdict import Told
from pman_k8s.waiting import NO_POD, Waiting

Object = Mapping[str, Any]


def info_of(job: Object, told: Told) -> JobInfo:
    """The job that a Job is."""
    notes = notes_of(job)
    template = job["spec"]["template"]["spec"]
    mine = next(part for part in template["containers"] if part["name"] == CONTAINER)
    return JobInfo(
        jid=notes[JID_LABEL],
        image=notes.get(IMAGE, mine["image"]),
        argv=tuple(unescaped(word) for word in mine["command"]),
        status=told.status,
        message=told.message,
        fingerprint=notes.get(FINGERPRINT_LABEL, ""),
        exit_code=told.exit_code,
        reason=told.reason,
        created=moment(job["metadata"]["creationTimestamp"]),
        started=told.started,
        finished=told.finished,
        labels=asked_labels(job),
        native=_native(job),
    )


def tell(job: Object, found: Iterable[Object]) -> Told:
    """The state of a Job without a verdict, by itself and its pods."""
    pods = [Pod(one) for one in found]
    ends = conditions(job)
    if "Complete" in ends:
        twice = _begun_anew(job, _known_runs(job, pods))
        if twice:
            return _ended(job, twice, pods, None, ends_it=False)
        return _success(job, ends["Complete"], pods)
    if "Failed" in ends:
        return _failure(job, ends["Failed"], pods)
    if not ends.keys() & {"FailureTarget", "SuccessCriteriaMet"} and not _failed(pods):
        lost = _loss(job, pods)
        if lost:
            return _ended(job, lost, pods, None, ends_it=True)
    started = _started(job, pods)
    # One that was evicted says nothing of its run any more; it may well have had one.
    failures = [pod.failure() for pod in _failed(pods)]
    if started or any(failure.reason is not Reason.CANNOT_START for failure in failures):
        return Told(status=Status.STARTED, message=_progress(pods), started=started)
    if failures:
        return Told(status=Status.NOT_STARTED, message=f"ending: {failures[0].message}")
    waiting = waits_for(job, pods)
    return Told(
        status=Status.NOT_STARTED, message=waiting.message, reason=waiting.reason, waits=True
    )


def _progress(pods: Sequence[Pod]) -> str:
    """What to say of a job that has begun and not ended."""
    left = [pod for pod in pods if pod.phase not in ("Succeeded", "Failed")]
    if not left:
        return "ending: its processes have ended"
    if any(pod.is_out_of_touch for pod in left):
        return "running, as far as is known: its node does not answer"
    return "running"


def waits_for(job: Object, pods: Sequence[Pod]) -> Waiting:
    """What a job waits for that has not begun."""
    if "Suspended" in conditions(job):
        return Waiting("suspended: something else holds the job back", Reason.QUEUED)
    waiting = [pod.waits for pod in pods]
    # One that waits in vain, or for a reason, tells more than one that is being made.
    waiting.sort(key=lambda one: (not one.is_in_vain, one.reason is None))
    return waiting[0] if waiting else NO_POD


def refused(job: Object, waiting: Waiting, now: datetime) -> Told:
    """The end of a job that waits in vain."""
    message = f"cannot start: {waiting.message}"
    return Told(
        status=Status.FAILED,
        message=message,
        reason=Reason.CANNOT_START,
        finished=_after(moment(job["metadata"]["creationTimestamp"]), now),
        ends_it=True,
    )


def too_late(job: Object, waiting: Told, now: datetime, deadline_s: int) -> Told | None:
    """The end of a job that has waited for too long; ``None`` while it has not."""
    created = moment(job["metadata"]["creationTimestamp"])
    if created is None or (now - created).total_seconds() <= deadline_s:
        return None
    return Told(
        status=Status.FAILED,
        message=f"not started within {deadline_s} s: {waiting.message}",
        reason=Reason.START_DEADLINE,
        finished=now,
        ends_it=True,
    )


def conditions(job: Object) -> dict[str, Object]:
    """The conditions that are true, by their type."""
    found = (job.get("status") or {}).get("conditions") or ()
    return {one["type"]: one for one in found if one.get("status") == "True"}


def counted_pods(job: Object) -> int:
    """How many pods the cluster has counted."""
    status = job.get("status") or {}
    return sum(int(status.get(state) or 0) for state in ("active", "succeeded", "failed"))


def workers_of(job: Object) -> int:
    """How many workers the job has; its parallelism may have been taken away."""
    return int(job["spec"].get("completions") or 1)


def _native(job: Object) -> str:
    """The Job; and its pod, where there is only one and it is known: its log can be asked for."""
    pods = noted_pods(job) if workers_of(job) == 1 else ()
    return "/".join((job["metadata"]["name"], *pods[:1]))


def _failed(pods: Iterable[Pod]) -> list[Pod]:
    """The pods that failed by themselves, the first one first."""
    failed = [pod for pod in pods if pod.phase == "Failed" and not pod.is_deleted]
    return sorted(failed, key=lambda pod: (pod.finished is None, str(pod.finished)))


def _loss(job: Object, pods: Sequence[Pod]) -> Failure | None:
    """Why the job is lost, if it is: a run that somebody took away would be replaced."""
    for pod in pods:
        if pod.is_deleted and pod.phase != "Succeeded":
            return pod.loss()
    names = {pod.name for pod in pods}
    noted = set(noted_pods(job))
    for name in sorted(noted - names):
        return Failure(reason=Reason.LOST, message=f"lost: its pod {name} is gone")
    return _begun_anew(job, names)


def _known_runs(job: Object, pods: Sequence[Pod]) -> set[str]:
    """The pods that are known to have begun; of those noted that are gone one can tell only so."""
    begun = {pod.name for pod in pods if pod.started}
    gone = set(noted_pods(job)) - {pod.name for pod in pods}
    return begun | gone if STARTED in notes_of(job) else begun


def _begun_anew(job: Object, names: Collection[str]) -> Failure | None:
    """Why a job is lost that has more pods than workers: two runs wrote to one output."""
    if len(names) <= workers_of(job):
        return None
    message = f"lost: its run was begun anew ({', '.join(sorted(names))})"
    return Failure(reason=Reason.LOST, message=message)


def _success(job: Object, condition: Object, pods: Sequence[Pod]) -> Told:
    status = job.get("status") or {}
    started = _started(job, pods) or _after(
        moment(job["metadata"]["creationTimestamp"]), moment(status.get("startTime"))
    )
    ended = moment(status.get("completionTime")) or moment(condition.get("lastTransitionTime"))
    return Told(
        status=Status.SUCCEEDED,
        message="finished",
        exit_code=0,
        started=started,
        finished=_after(started, ended),
    )


def _failure(job: Object, condition: Object, pods: Sequence[Pod]) -> Told:
    failed = _failed(pods)
    if failed:
        failure = failed[0].failure()
        finished = failed[0].finished
        if len(pods) > 1:
            number = [pod.name for pod in pods].index(failed[0].name) + 1
            message = f"worker {number} of {workers_of(job)}: {failure.message}"
            failure = attrs.evolve(failure, message=message)
    else:
        deleted = [pod for pod in pods if pod.is_deleted]
        failure = deleted[0].loss() if deleted else _unexplained(condition)
        finished = None
    finished = finished or moment(condition.get("lastTransitionTime"))
    return _ended(job, failure, pods, finished, ends_it=False)


def _unexplained(condition: Object) -> Failure:
    """The end of a Job whose pods are gone."""
    words = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
    if condition.get("reason") == "DeadlineExceeded":
        return Failure(reason=Reason.TIME_LIMIT, message=f"time limit: {words}")
    return Failure(reason=Reason.LOST, message=f"lost: its pod is gone ({words})")


def _ended(
    job: Object,
    failure: Failure,
    pods: Sequence[Pod],
    finished: datetime | None,
    *,
    ends_it: bool,
) -> Told:
    started = _started(job, pods)
    begun = started or moment(job["metadata"]["creationTimestamp"])
    return Told(
        status=Status.FAILED,
        message=failure.message,
        reason=failure.reason,
        exit_code=failure.exit_code,
        started=started,
        finished=_after(begun, finished) if finished else None,
        ends_it=ends_it,
    )


def _started(job: Object, pods: Iterable[Pod]) -> datetime | None:
    """When the first process began; a node's clock may be behind the server's."""
    noted = moment(notes_of(job).get(STARTED))
    if noted:
        return noted
    times = [pod.started for pod in pods if pod.started]
    return _after(moment(job["metadata"]["creationTimestamp"]), min(times)) if times else None


def _after(earliest: datetime | None, time: datetime | None) -> datetime | None:
    if earliest is None or time is None:
        return time or earliest
    return max(earliest, time)
