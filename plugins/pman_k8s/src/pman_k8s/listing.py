"""Pages of the list of jobs: one call for the Jobs, one for the pods of those that run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from pman_core import JobFilter, JobInfo, JobPage, Status
from pman_core.contract.errors import InvalidJobError
from pman_core.kit.names import INSTANCE_LABEL, JID_LABEL
from pman_core.kit.paging import NO_CURSOR
from pman_k8s.client import Answer, Cluster
from pman_k8s.errors import ExpiredError, RefusedError
from pman_k8s.label_syntax import label_faults
from pman_k8s.labels import annotations_of, of_jobs, selector
from pman_k8s.reconcile import Reconciler
from pman_k8s.record import recorded_end
from pman_k8s.settings import K8sSettings
from pman_k8s.status.current import state_of
from pman_k8s.status.decision import Observation
from pman_k8s.status.job import is_being_deleted
from pman_k8s.status.pods import Pod
from pman_k8s.status.state import JobState, info_of
from pman_k8s.termination import end_remaining_pods

Object = Mapping[str, Any]

#: How many Jobs a selector names: a proxy may refuse the URL of a longer one.
_AT_ONCE = 100


class Lister:
    """Lists the jobs of this pman.

    The pages of one list are of one moment, that of the first page; the server keeps it for some
    minutes. The status of a job is the present one: its pods are read with the page.
    """

    def __init__(self, cluster: Cluster, reconciler: Reconciler, settings: K8sSettings) -> None:
        self._cluster = cluster
        self._reconciler = reconciler
        self._settings = settings

    def page(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """One page; the cursor is the server's own.

        :raises InvalidJobError: the server does not take the cursor, or not any more.
        """
        matches_none = any(True for _ in label_faults(job_filter.labels))  # no job has such labels
        if cursor == "" or (matches_none and cursor is not None):
            raise InvalidJobError(faults={"cursor": NO_CURSOR})
        if matches_none:
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

    def _infos(self, answer: Answer) -> Iterator[JobInfo]:
        jobs = [
            job
            for job in answer.body["items"]
            # A copy that somebody made of a Job has another name.
            if self._reconciler.name(_jid(job)) == job["metadata"]["name"]
            and not is_being_deleted(job)
        ]
        pods = self._pods(job["metadata"]["uid"] for job in jobs if not recorded_end(job))
        for job in jobs:
            info = self._info(Observation(job, answer.date, pods[job["metadata"]["uid"]]))
            if info:
                yield info

    def _info(self, seen: Observation) -> JobInfo | None:
        decision = self._reconciler.decided(seen)
        if decision.patch is None or not decision.info.status.is_final:
            end_remaining_pods(self._cluster, seen.job, seen.now)
            return decision.info
        try:
            # Its end has to be recorded, by its Job as it is now.
            return self._reconciler.look(_jid(seen.job))
        except RefusedError as refused:  # one job must not hide the others
            waits = state_of(seen.job, seen.pods) is None
            state = JobState(
                status=Status.NOT_STARTED if waits else Status.STARTED,
                message=f"ending, which cannot be written down: {refused}",
                started=decision.info.started,
            )
            return info_of(seen.job, state)

    def _pods(self, uids: Iterable[str]) -> defaultdict[str, list[Pod]]:
        """The pods of several Jobs, by the Job's uid."""
        found: defaultdict[str, list[Pod]] = defaultdict(list)
        left = list(uids)
        while left:
            for pod in self._cluster.pods(of_jobs(left[:_AT_ONCE]), fresh=False):
                found[pod["metadata"]["labels"]["controller-uid"]].append(Pod(pod))
            del left[:_AT_ONCE]
        return found


def _jid(job: Object) -> str:
    return annotations_of(job).get(JID_LABEL, "")
