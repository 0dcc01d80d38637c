"""What pman does with jobs: the rules that hold for every backend, in one place."""

from __future__ import annotations

import logging

import attrs

from pman_core.backend import Backend
from pman_core.build import build_job, refused_options
from pman_core.core_settings import CoreSettings
from pman_core.errors import JobExistsError, PmanError, UnknownJobError, UnsupportedError
from pman_core.fingerprint import same_request
from pman_core.info import JobFilter, JobInfo, JobPage
from pman_core.job import Job
from pman_core.observers import Observers
from pman_core.request import JobRequest
from pman_core.storage import Storage

log = logging.getLogger(__name__)


@attrs.frozen
class Jobs:
    """The jobs of this pman. It holds no state: that is all in the engine."""

    backend: Backend
    settings: CoreSettings
    storage: Storage
    observers: Observers

    def submit(self, request: JobRequest) -> JobInfo:
        """Run a job, or find the one that an equal request made before.

        :raises ClientError: the request cannot be done, or its id is taken.
        :raises EngineUnavailableError: the engine does not answer.
        """
        job = build_job(request, self.settings, self.storage, self.backend.capabilities)
        self._validate(job)
        job = self.observers.admit(job)
        self._validate(job)
        info = self.backend.submit(job)
        if not same_request(info.fingerprint, job.fingerprint):
            raise JobExistsError(job.jid)
        log.info("job %s was submitted: %s", job.jid, info.status)
        self.observers.submitted(job, info)
        self.observers.seen(info)
        return info

    def status(self, jid: str) -> JobInfo:
        """The state of a job."""
        info = self.backend.status(jid)
        self.observers.seen(info)
        return info

    def logs(self, info: JobInfo) -> str:
        """The end of a job's log; where it cannot be read, one line that says why."""
        try:
            raw = self.backend.logs(
                info, self.settings.job_logs_tail, self.settings.job_logs_max_bytes
            )
        except PmanError as error:
            return f"(pman could not read the logs: {error})\n"
        return raw.decode(errors="replace")

    def remove(self, jid: str) -> None:
        """End and delete a job; does nothing with ``REMOVE_JOBS=no``.

        :raises UnknownJobError: there is no such job.
        """
        if not self.settings.remove_jobs:
            log.info("job %s is kept: REMOVE_JOBS=no", jid)
            return
        if not self.backend.remove(jid):
            raise UnknownJobError(jid)
        log.info("job %s was removed", jid)
        self.observers.removed(jid)

    def list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """One page of the jobs that match."""
        page = self.backend.list(job_filter, limit, cursor)
        for info in page.jobs:
            self.observers.seen(info)
        return page

    def _validate(self, job: Job) -> None:
        refused = refused_options(job, self.backend.capabilities, self.settings.ignore_limits)
        if refused:
            raise UnsupportedError(faults=refused)
        self.backend.validate(job)
