"""What pman does with jobs: the rules that hold for every backend, in one place."""

from __future__ import annotations

import logging

import attrs

from pman_core._internal.backend import Backend
from pman_core._internal.fingerprint import fingerprint, same_request
from pman_core._internal.job_builder import build_job, refused_options
from pman_core._internal.lookup import Lookup
from pman_core._internal.observers import Observers
from pman_core.contract.access import UNRESTRICTED, Principal, Role
from pman_core.contract.errors import (
    ClientError,
    ForbiddenError,
    JobExistsError,
    PmanError,
    TooManyRequestsError,
    UnknownJobError,
    UnsupportedError,
)
from pman_core.contract.info import JobFilter, JobInfo, JobPage, Reason
from pman_core.contract.job import Job
from pman_core.contract.request import JobRequest
from pman_core.contract.service import Service
from pman_core.contract.storage import Storage
from pman_core.kit.core_settings import CoreSettings
from pman_core.kit.printable import escaped

log = logging.getLogger(__name__)


@attrs.frozen
class Jobs:
    """The jobs of this pman. Their state is in the engine; what ``lookup`` knows may vanish.

    Each method raises ``ForbiddenError`` where the role of ``principal`` does not allow it. A job
    that ``principal`` may not see is unknown.

    :param principal: who asks.
    """

    backend: Backend
    settings: CoreSettings
    storage: Storage
    observers: Observers
    lookup: Lookup
    principal: Principal = UNRESTRICTED

    def by(self, principal: Principal) -> Jobs:
        """The jobs as somebody else may use them."""
        return attrs.evolve(self, principal=principal)

    def insist_on(self, role: Role) -> None:
        """:raises ForbiddenError: who asks may not do what that role may."""
        if not self.principal.role.includes(role):
            raise ForbiddenError(
                f"{self.principal.name} has the role {self.principal.role}; this needs the role "
                f"{role}"
            )

    def submit(self, request: JobRequest, owner: str | None = None) -> JobInfo:
        """Run a job, or find the one that an equal request made before.

        That one is found also where settings, storage or a policy have changed since, so that
        the request would be refused now: its client must learn what became of its job.

        :param owner: for whom it is, where that is not who asks.
        :raises ClientError: the request cannot be done, or its id is taken.
        :raises TooManyRequestsError: a policy refuses it for now.
        :raises EngineUnavailableError: the engine does not answer.
        """
        self.insist_on(Role.SUBMIT)
        if owner and owner != self.principal.name and self._sees_own_only:
            raise ForbiddenError(
                f"{self.principal.name} may not submit for {owner!r}, whose jobs it may not see"
            )
        owner = owner or self.principal.name or None
        try:
            job = self._admitted(request, owner)
        except (ClientError, TooManyRequestsError) as refusal:
            info = self._made_before(request)
            if info is None:
                raise
            log.info("job %s exists; a new one would be refused: %s", request.jid, refusal)
            self.observers.seen(info)
            return info
        with self.lookup.changing(job.jid):
            info = self.backend.submit(job)
        if not (self._may_see(info) and same_request(info.fingerprint, job.fingerprint)):
            raise JobExistsError(job.jid)
        log.info("job %s was submitted: %s", job.jid, info.status)
        self.observers.submitted(job, info)
        self.observers.seen(info)
        return info

    def status(self, jid: str, *, fresh: bool = False) -> JobInfo:
        """The state of a job.

        :param fresh: whether the engine itself has to answer.
        :raises UnknownJobError: there is no such job.
        """
        self.insist_on(Role.READ)
        info = self.lookup.status(jid, fresh=fresh)
        if not self._may_see(info):
            raise UnknownJobError(jid)
        self.observers.seen(info)
        return info

    def logs(self, info: JobInfo) -> str:
        """The end of a job's log; where it cannot be read, one line that says why."""
        self.insist_on(Role.READ)
        if not self._may_see(info):
            raise UnknownJobError(info.jid)
        try:
            return self.lookup.logs(
                info, self.settings.job_logs_tail, self.settings.job_logs_max_bytes
            )
        except PmanError as error:
            return f"(pman could not read the logs: {escaped(str(error))})\n"

    def cancel(self, jid: str) -> JobInfo:
        """End a job and keep it; one that has ended stays as it is.

        :raises UnknownJobError: there is no such job.
        """
        self.insist_on(Role.SUBMIT)
        self._look_whose(jid)
        with self.lookup.changing(jid, ends_it=True):
            info = self.backend.cancel(jid)
        if info.reason is Reason.CANCELLED:
            log.info("job %s is cancelled", jid)
        else:
            log.info("job %s had ended before it was cancelled: %s", jid, info.status)
        self.observers.seen(info)
        return info

    def remove(self, jid: str) -> None:
        """End and delete a job; does nothing with ``REMOVE_JOBS=no``.

        :raises UnknownJobError: there is no such job.
        """
        self.insist_on(Role.SUBMIT)
        self._look_whose(jid)
        if not self.settings.remove_jobs:
            log.info("job %s is kept: REMOVE_JOBS=no", jid)
            return
        with self.lookup.changing(jid, ends_it=True):
            removed = self.backend.remove(jid)
        if not removed:
            raise UnknownJobError(jid)
        log.info("job %s was removed", jid)
        self.observers.removed(jid)

    def list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """One page of the jobs that match."""
        self.insist_on(Role.READ)
        if self._sees_own_only:
            if job_filter.owner not in (None, self.principal.name):
                return JobPage(())
            job_filter = attrs.evolve(job_filter, owner=self.principal.name)
        page = self.backend.list(job_filter, limit, cursor)
        for info in page.jobs:
            self.lookup.answered(info.jid, info)
            self.observers.seen(info)
        return page

    @property
    def _sees_own_only(self) -> bool:
        is_admin = self.principal.role.includes(Role.ADMIN)
        return self.settings.jobs_visible_to == "owner" and not is_admin

    def _may_see(self, info: JobInfo) -> bool:
        return not self._sees_own_only or info.owner == self.principal.name

    def _look_whose(self, jid: str) -> None:
        """:raises UnknownJobError: there is no such job that who asks may see."""
        if self._sees_own_only and not self._may_see(self.backend.status(jid)):
            raise UnknownJobError(jid)

    def _admitted(self, request: JobRequest, owner: str | None) -> Job:
        capabilities = self.backend.capabilities
        job = build_job(request, self.settings, self.storage, capabilities, owner)
        self._validate(job)
        job = self.observers.admit(job, Service(lambda: self.by(UNRESTRICTED)))
        self._validate(job)
        return job

    def _made_before(self, request: JobRequest) -> JobInfo | None:
        """The job that an equal request made, if there is one.

        :raises EngineUnavailableError: it is not known now; a refusal could be untrue.
        """
        try:
            info = self.lookup.status(request.jid, fresh=True)
        except UnknownJobError:
            return None
        is_same = self._may_see(info) and same_request(info.fingerprint, fingerprint(request))
        return info if is_same else None

    def _validate(self, job: Job) -> None:
        refused = refused_options(job, self.backend.capabilities, self.settings.ignore_limits)
        if refused:
            raise UnsupportedError(faults=refused)
        self.backend.validate(job)
