"""Looks at a job: gathers what the engine says, has ``status`` decide, and writes what is due.

The status of a running job costs two calls, that of an ended one only one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from pman_core import JobInfo, Reason
from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.names import native_name
from pman_k8s.cancel import end_cancelled
from pman_k8s.client import FEW_PODS, Answer, Cluster
from pman_k8s.errors import ConflictError, NotFoundError, RefusedError
from pman_k8s.labels import is_ours, of_jobs, recorded_pods
from pman_k8s.record import recorded_end
from pman_k8s.settings import K8sSettings
from pman_k8s.status.decision import Decision, Observation, decide, events_needed
from pman_k8s.status.job import counted_pods, is_being_deleted, workers_of
from pman_k8s.status.pods import Pod
from pman_k8s.termination import end_remaining_pods

Object = Mapping[str, Any]

#: How often a Job is read again that somebody else changes whenever it has just been read.
_ATTEMPTS = 10

#: How often, and after how many seconds, a Job that is being removed is read again.
_REMOVAL_READS, _REMOVAL_PAUSE_S = 10, 0.2


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

    def decided(self, seen: Observation, *, cancels: bool = False) -> Decision:
        """What a job is by what was seen of it, and what has to be written."""
        return decide(seen, self._settings.start_deadline_s, cancels=cancels)

    def look(self, jid: str) -> JobInfo | None:
        """A job as it is now; ``None`` if there is none, or it is being removed."""
        answer = self.own_job(jid)
        return self._reconciled(answer) if answer else None

    def cancel(self, jid: str) -> JobInfo | None:
        """End a job that has not ended, and return it; ``None`` as for :meth:`look`.

        :raises EngineUnavailableError: something of it still runs.
        """
        answer = self.own_job(jid)
        info = self._reconciled(answer, cancels=True) if answer else None
        if answer is None or info is None or info.reason is not Reason.CANCELLED:
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

    def _reconciled(self, found: Answer, *, cancels: bool = False) -> JobInfo | None:
        """The job of a Job. An end is returned only once it is recorded on the Job.

        :param cancels: whether to end the job, unless it has ended.
        """
        name, uid = found.body["metadata"]["name"], found.body["metadata"]["uid"]
        answer: Answer | None = found
        for _ in range(_ATTEMPTS):
            if (
                answer is None
                or is_being_deleted(answer.body)
                or answer.body["metadata"]["uid"] != uid
            ):
                return None
            seen = self._gathered(answer, cancels=cancels)
            decision = self.decided(seen, cancels=cancels)
            if decision.patch is None:
                end_remaining_pods(self._cluster, seen.job, seen.now)
                return decision.info
            try:
                answer = self._cluster.patch(name, decision.patch)
                if not decision.info.status.is_final:
                    return decision.info
            except ConflictError:
                answer = self._read(name)
            except NotFoundError:
                answer = None
        raise EngineUnavailableError("the Job is changed by others again and again")

    def _gathered(self, answer: Answer, *, cancels: bool) -> Observation:
        """What the engine says of a job; no more is asked than the decision needs."""
        job, deadline_s = answer.body, self._settings.start_deadline_s
        seen = Observation(job, answer.date, () if recorded_end(job) else self._pods(job))
        while uid := events_needed(seen, deadline_s, cancels=cancels):
            seen = attrs.evolve(seen, events={**seen.events, uid: self._events(uid)})
        return seen

    def _pods(self, job: Object) -> Sequence[Pod]:
        """The pods of a Job; few that are all known are read by name: lists take long."""
        recorded = recorded_pods(job)
        if counted_pods(job) <= len(recorded) == workers_of(job) <= FEW_PODS:
            found = self._cluster.pods_named(recorded)
            if len(found) == len(recorded):
                return [Pod(one) for one in found]
        # A pod that was never recorded cannot be missing: the server's cache is fresh enough.
        found = self._cluster.pods(of_jobs([job["metadata"]["uid"]]), fresh=bool(recorded))
        return [Pod(one) for one in found]

    def _events(self, uid: str) -> Sequence[Object]:
        """The events of an object; none where they cannot be read, as they only add detail."""
        with contextlib.suppress(RefusedError, EngineUnavailableError):
            return self._cluster.events(uid)
        return ()

    def _read(self, name: str) -> Answer | None:
        with contextlib.suppress(NotFoundError):
            return self._cluster.job(name)
        return None
