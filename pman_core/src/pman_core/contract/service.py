"""What extensions may ask of pman: the same as the routes of ``/api/v1/``.

All methods raise the errors of :mod:`pman_core.contract.errors`: ``ClientError`` and its kinds,
``ForbiddenError`` where the role of who asks does not allow it, ``EngineUnavailableError``, and
``PluginFaultError`` where the backend breaks its contract. In a route of an extension they become
answers by themselves.

While a request is served, each method acts for who sent it, with that role and on the jobs that
are visible to it. Elsewhere, as in a thread of an extension, it acts for pman itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from pman_core.contract.access import Principal
from pman_core.contract.capabilities import Capabilities
from pman_core.contract.info import JobFilter, JobInfo, JobPage
from pman_core.contract.request import JobRequest

if TYPE_CHECKING:
    from pman_core._internal.jobs import Jobs


@attrs.frozen
class Service:
    """The jobs of this pman, for programs."""

    _jobs_now: Callable[[], Jobs]

    @property
    def _jobs(self) -> Jobs:
        return self._jobs_now()

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return self._jobs.principal

    @property
    def capabilities(self) -> Capabilities:
        """What the backend refuses, and what it does less well."""
        return self._jobs.backend.capabilities

    def submit(self, request: JobRequest, owner: str | None = None) -> JobInfo:
        """Run a job, or find the one that an equal request made before.

        :param owner: for whom it is; by default who asks. The engine keeps it with the job.
        :raises ClientError: the request cannot be done, or its id is taken.
        """
        return self._jobs.submit(request, owner)

    def status(self, jid: str) -> JobInfo:
        """The state of a job; as old as ``FRESHNESS`` at most, where the backend has a feed.

        :raises UnknownJobError: there is no such job, or who asks may not see it.
        """
        return self._jobs.status(jid)

    def logs(self, info: JobInfo) -> str:
        """The end of a job's log; where it cannot be read, one line that says why."""
        return self._jobs.logs(info)

    def list(self, job_filter: JobFilter, limit: int, cursor: str | None = None) -> JobPage:
        """One page of the jobs that match.

        :param cursor: from the page before; ``None`` for the first page.
        :raises InvalidJobError: the cursor is none that this server gave.
        """
        return self._jobs.list(job_filter, limit, cursor)

    def cancel(self, jid: str) -> JobInfo:
        """End a job and keep it; one that has ended stays as it is.

        :raises UnknownJobError: there is no such job.
        """
        return self._jobs.cancel(jid)

    def remove(self, jid: str) -> None:
        """End and delete a job; does nothing with ``REMOVE_JOBS=no``.

        :raises UnknownJobError: there is no such job.
        """
        self._jobs.remove(jid)

    def health(self) -> str:
        """The engine's name and version, for a person.

        :raises EngineUnavailableError: it cannot take jobs now, and why.
        """
        return self._jobs.backend.ping()
