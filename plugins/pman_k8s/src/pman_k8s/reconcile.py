"""Looks a job up, and writes on its Job what must stay: an end, and what runs.

The status of a running job costs two calls, that of an ended one only one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from pman_core import JobInfo, Reason
from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.causes import pull_cause
from pman_core.kit.names import native_name
from pman_core.kit.times import not_before
from pman_k8s.cancel import end_cancelled
from pman_k8s.client import FEW_PODS, Answer, Cluster
from pman_k8s.errors import ConflictError, NotFoundError, RefusedError
from pman_k8s.labels import STARTED, annotations_of, is_ours, of_jobs, recorded_pods, recorded_pull
from pman_k8s.record import MAX_MESSAGE_CHARS, end_patch, progress_patch, recorded_end
from pman_k8s.settings import K8sSettings
from pman_k8s.status.current import state_of, waits_for
from pman_k8s.status.ends import cancelled_end, start_deadline_end, start_failure_end
from pman_k8s.status.events import started_by_events, waiting_by_events
from pman_k8s.status.job import counted_pods, is_being_deleted, workers_of
from pman_k8s.status.pending import Waiting
from pman_k8s.status.pods import Pod
from pman_k8s.status.state import JobState, info_of
from pman_k8s.termination import end_remaining_pods

Object = Mapping[str, Any]

#: How often a Job is read again that somebody else changes whenever it has just been read.
_ATTEMPTS = 10

#: How often, and after how many seconds, a Job that is being removed is read again.
_REMOVAL_READS, _REMOVAL_PAUSE_S = 10, 0.2

#: Seconds after which events are asked why a job does not go on; most pods are made sooner.
_EVENTS_AFTER_S = 3


class Reconciler:
    """Looks up the jobs of this pman, and writes on their Jobs what is due."""

    def __init__(self, cluster: Cluster, settings: K8sSettings) -> None:
        self._cluster = cluster
        self._settings = settings

    def name(self, jid: str) -> str:
        """The name of a job's Job."""
        return native_name(jid, self._settings.instance)

    def own_job(self, jid: str) -> Answer | None:
        """The Job of a job, if there is one that is this pman's."""
        answer = self._read(self.name(jid))
        return answer if answer and is_ours(answer.body, jid, self._settings.instance) else None

    def is_foreign(self, jid: str) -> bool:
        """Whether something that is no job of this pman has the name."""
        answer = self._read(self.name(jid))
        return answer is not None and not is_ours(answer.body, jid, self._settings.instance)

    def info(self, jid: str) -> JobInfo | None:
        """A job as it is now; ``None`` if there is none, or it is being removed."""
        answer = self.own_job(jid)
        if answer is None or is_being_deleted(answer.body):
            return None
        return self._reconciled(answer)

    def cancel(self, jid: str) -> JobInfo | None:
        """End a job that has not ended, and return it; ``None`` as for :meth:`info`.

        :raises EngineUnavailableError: something of it still runs.
        """
        answer = self.own_job(jid)
        if answer is None or is_being_deleted(answer.body):
            return None
        info = self._reconciled(answer, cancels=True)
        if info is None or info.reason is not Reason.CANCELLED:
            return info
        metadata = answer.body["metadata"]
        timeout_s = self._settings.engine_timeout_s
        stays = end_cancelled(self._cluster, metadata["name"], metadata["uid"], timeout_s)
        return info if stays else None

    def wait_for_removal(self, jid: str) -> None:
        """Wait for the end of a removal, if the Job of that name is being removed.

        :raises EngineUnavailableError: it takes longer.
        """
        for _ in range(_REMOVAL_READS):
            answer = self._read(self.name(jid))
            if answer is None or not is_being_deleted(answer.body):
                return
            time.sleep(_REMOVAL_PAUSE_S)
        raise EngineUnavailableError(f"job {jid!r} is being removed; try again")

    def _reconciled(self, answer: Answer, *, cancels: bool = False) -> JobInfo | None:
        """The job of a Job. An end is returned only once it is recorded on the Job.

        :param cancels: whether to end the job, unless it has ended.
        """
        for _ in range(_ATTEMPTS):
            job, now = answer.body, answer.date
            end = recorded_end(job)
            if end:
                end_remaining_pods(self._cluster, job, now)
                return info_of(job, end)
            pods = self._pods(job)
            state = self._state(job, pods, now)
            if cancels and not state.status.is_final:
                state = cancelled_end(job, self._with_start(job, state, pods), pods, now)
            change = _change(job, pods, state)
            if change is None:
                return info_of(job, state)
            name = job["metadata"]["name"]
            try:
                answer = self._cluster.patch(name, change)
            except ConflictError:
                again = self._read(name)
                if again is None or is_being_deleted(again.body):
                    return None
                if again.body["metadata"]["uid"] != job["metadata"]["uid"]:
                    return None
                answer = again
            except NotFoundError:
                return None
            else:
                if not state.status.is_final:
                    return info_of(job, state)
        raise EngineUnavailableError("the Job is changed by others again and again")

    def _state(self, job: Object, pods: Sequence[Object], now: datetime) -> JobState:
        """The state of a job, with an end that is due."""
        state = state_of(job, pods)
        if state.waits:
            waiting = self._waiting(job, pods, now)
            if waiting.is_permanent:
                if _waited_s(job, pods, now) >= waiting.confirm_after_s:
                    return start_failure_end(job, waiting, now)
                waiting = waiting.unconfirmed()
            state = attrs.evolve(
                state,
                message=waiting.message,
                reason=waiting.reason,
                pull=_new_pull(job, waiting),
            )
            return start_deadline_end(job, state, now, self._settings.start_deadline_s) or state
        if state.status.is_final and state.finished is None:
            return attrs.evolve(state, finished=max(now, state.started or now))
        return state

    def _waiting(self, job: Object, found: Sequence[Object], now: datetime) -> Waiting:
        """What a job waits for; by events where its objects do not say it."""
        pods = [Pod(one) for one in found]
        waiting = waits_for(job, pods)
        first = pods[0] if pods else Pod(job)
        if not waiting.is_vague or first.created is None:
            return waiting
        if (now - first.created).total_seconds() < _EVENTS_AFTER_S:
            return waiting
        try:
            events = self._cluster.events(first.body["metadata"]["uid"])
        except (RefusedError, EngineUnavailableError):
            return waiting  # events only add detail
        return waiting_by_events(events, waiting)

    def _with_start(self, job: Object, state: JobState, found: Sequence[Object]) -> JobState:
        """The state of a job; its start is there also if only events show it yet."""
        acknowledged = [pod for pod in map(Pod, found) if pod.acknowledged] if state.waits else []
        for pod in acknowledged[:FEW_PODS]:
            with contextlib.suppress(RefusedError, EngineUnavailableError):  # see ``_waiting``
                started = started_by_events(self._cluster.events(pod.body["metadata"]["uid"]))
                if started:
                    return attrs.evolve(state, started=not_before(Pod(job).created, started))
        return state

    def _pods(self, job: Object) -> list[dict[str, Any]]:
        """The pods of a Job; few that are all known are read by name: lists take long."""
        recorded = recorded_pods(job)
        if counted_pods(job) <= len(recorded) == workers_of(job) <= FEW_PODS:
            found = self._cluster.pods_named(recorded)
            if len(found) == len(recorded):
                return found
        # A pod that was never recorded cannot be missing: the server's cache is fresh enough.
        return self._cluster.pods(of_jobs([job["metadata"]["uid"]]), fresh=bool(recorded))

    def _read(self, name: str) -> Answer | None:
        try:
            return self._cluster.job(name)
        except NotFoundError:
            return None


def _waited_s(job: Object, pods: Sequence[Object], now: datetime) -> float:
    """For how long nodes have tried to start a job, or the controller to make its pods."""
    times = [Pod(pod).acknowledged for pod in pods] or [Pod(job).created]
    return max(((now - time).total_seconds() for time in times if time), default=0)


def _change(job: Object, pods: Sequence[Object], state: JobState) -> dict[str, Any] | None:
    """What has to be written on the Job now, if anything."""
    recorded = recorded_pods(job)
    names = tuple(dict.fromkeys((*recorded, *(Pod(pod).name for pod in pods))))
    if state.status.is_final:
        return end_patch(job, state, names)
    has_begun = state.started is not None and STARTED not in annotations_of(job)
    is_new = has_begun or state.pull or names != recorded
    return progress_patch(job, state, names) if is_new else None


def _new_pull(job: Object, waiting: Waiting) -> str:
    """What to record of an image that cannot be pulled, unless the same cause is recorded."""
    if waiting.is_vague or not waiting.image:
        return ""
    image, words = recorded_pull(job)
    if image == waiting.image and pull_cause(words) == pull_cause(waiting.words):
        return ""
    return f"{waiting.image}\n{waiting.words[:MAX_MESSAGE_CHARS]}"
