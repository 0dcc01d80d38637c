"""Pages of the list of jobs: one call for the Jobs, one for the pods of those that run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from pman_core import JobFilter, JobInfo, JobPage, Status
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_core.kit.names import INSTANCE_LABEL, JID_LABEL
from pman_core.kit.paging import NO_CURSOR
from pman_k8s.client import Answer, Cluster
from pman_k8s.errors import ExpiredError, RefusedError
from pman_k8s.label_syntax import label_faults
from pman_k8s.labels import annotations_of, of_jobs, selector
from pman_k8s.outcome import JobState, outcome_of
from pman_k8s.reconcile import Reconciler
from pman_k8s.settings import K8sSettings
from pman_k8s.status.current import info_of, start_deadline_end, state_of
from pman_k8s.status.job import is_being_deleted
from pman_k8s.status.pending import is_permanent_reason
from pman_k8s.termination import end_remaining_pods

Object = Mapping[str, Any]

#: How many Jobs a selector names: a longer one may be too long for a URL on its way. And how many
#: are read at once where all are.
_AT_ONCE = 100


class Lister:
    """Lists the jobs of this pman.

    The pages of one list are of one moment, that of the first; the server keeps that for some
    minutes. How a job is now, its pods tell.
    """

    def __init__(self, cluster: Cluster, reconciler: Reconciler, settings: K8sSettings) -> None:
        self._cluster = cluster
        self._reconciler = reconciler
        self._settings = settings

    def page(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """One page; the cursor is the server's own.

        :raises InvalidJobError: the server does not take the cursor, or not any more.
        """
        nobody = any(True for _ in label_faults(job_filter.labels))  # no job has such labels
        if cursor == "" or (nobody and cursor is not None):
            raise InvalidJobError(faults={"cursor": NO_CURSOR})
        if nobody:
            return JobPage(())
        wanted = selector({**job_filter.labels, INSTANCE_LABEL: self._settings.instance})
        try:
            answer = self._cluster.jobs(wanted, limit, cursor or "")
        except ExpiredError:
            raise InvalidJobError(
                faults={"cursor": "has expired: ask for the first page again"}
            ) from None
        except RefusedError as refused:
            if cursor is None or refused.code != HTTPStatus.BAD_REQUEST:
                raise
            raise InvalidJobError(faults={"cursor": NO_CURSOR}) from refused
        infos = self._infos(answer)
        return JobPage(
            tuple(info for info in infos if job_filter.matches(info)),
            cursor=answer.body["metadata"].get("continue") or None,
        )

    def end_all_remaining_pods(self) -> None:
        """Go on with the end of what outlives its job, for all jobs that have ended.

        :raises EngineUnavailableError: some go on ending.
        """
        wanted = selector({INSTANCE_LABEL: self._settings.instance})
        ending, cursor = 0, ""
        while True:
            answer = self._cluster.jobs(wanted, _AT_ONCE, cursor)
            jobs = answer.body["items"]
            ending += sum(not end_remaining_pods(self._cluster, job, answer.date) for job in jobs)
            cursor = answer.body["metadata"].get("continue") or ""
            if not cursor:
                break
        if ending:
            raise EngineUnavailableError(f"what {ending} ended jobs left is still ending")

    def _infos(self, answer: Answer) -> Iterator[JobInfo]:
        jobs = [
            job
            for job in answer.body["items"]
            # A copy that somebody made of a Job has another name.
            if self._reconciler.name(_jid(job)) == job["metadata"]["name"]
            and not is_being_deleted(job)
        ]
        pods = self._pods(job["metadata"]["uid"] for job in jobs if not outcome_of(job))
        for job in jobs:
            info = self._info(job, pods[job["metadata"]["uid"]], answer)
            if info:
                yield info

    def _info(self, job: Object, pods: list[Object], answer: Answer) -> JobInfo | None:
        outcome = outcome_of(job)
        if outcome:
            end_remaining_pods(self._cluster, job, answer.date)
            return info_of(job, outcome)
        state = state_of(job, pods)
        late = state.waits and (
            is_permanent_reason(state.reason)
            or start_deadline_end(job, state, answer.date, self._settings.start_deadline_s)
        )
        if state.status.is_final or late:
            # Its end has to be written down, by the job as it is now.
            try:
                return self._reconciler.find(_jid(job))
            except RefusedError as refused:  # one job must not hide the others
                status = Status.NOT_STARTED if late else Status.STARTED
                message = f"ending, which cannot be written down: {refused}"
                state = JobState(status=status, message=message, started=state.started)
        return info_of(job, state)

    def _pods(self, uids: Iterable[str]) -> defaultdict[str, list[Object]]:
        """The pods of several Jobs, by the Job's uid."""
        found: defaultdict[str, list[Object]] = defaultdict(list)
        left = list(uids)
        while left:
            for pod in self._cluster.pods(of_jobs(left[:_AT_ONCE]), fresh=False):
                found[pod["metadata"]["labels"]["controller-uid"]].append(pod)
            del left[:_AT_ONCE]
        return found


def _jid(job: Object) -> str:
    return annotations_of(job).get(JID_LABEL, "")
