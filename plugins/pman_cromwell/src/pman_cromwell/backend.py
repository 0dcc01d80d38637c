"""The hooks of the backend."""

from __future__ import annotations

from collections.abc import Mapping

from pman_core import Capabilities, Job, JobFilter, JobInfo, JobPage, hookimpl
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_core.kit.paging import page_by_name
from pman_core.kit.settings import load
from pman_cromwell.capabilities import capabilities, validate
from pman_cromwell.client import Cromwell
from pman_cromwell.job_store import JobStore
from pman_cromwell.reconcile import Jobs
from pman_cromwell.settings import CromwellSettings, jobs_folder

#: How often a submit looks for a job that is removed whenever it has just been found.
_ATTEMPTS = 20


class CromwellBackend:
    """Jobs on SLURM, through Cromwell; ``CONTAINER_ENV=cromwell``.

    It keeps nothing in memory: all is in Cromwell and in the jobs folder.

    :raises SettingsError: a setting is wrong.
    """

    settings_class = CromwellSettings

    def __init__(self, environ: Mapping[str, str]) -> None:
        settings = load(CromwellSettings, environ)
        self._settings = settings
        self._folder = jobs_folder(settings, environ)
        self._cromwell = Cromwell(settings.url or "", settings.engine_timeout_s)
        self._store = JobStore(self._folder, settings.instance)
        self._jobs = Jobs(self._cromwell, self._store, settings, self._folder)

    @hookimpl
    def pman_capabilities(self) -> Capabilities:
        """By the runtime of the nodes; see ``capabilities.py``."""
        return capabilities(self._settings)

    @hookimpl
    def pman_validate(self, job: Job) -> None:
        """What SLURM and the runtimes take."""
        validate(job, self._settings.runtime, self._folder)

    @hookimpl
    def pman_ping(self) -> str:
        """Ask Cromwell who it is, and look into the jobs folder."""
        version = self._cromwell.version()
        self._store.check()
        return f"Cromwell {version} at {self._cromwell.url}; jobs in {self._folder}"

    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        """The record is the lock; posting is repeated until Cromwell is known to have it."""
        for _ in range(_ATTEMPTS):
            known = self._jobs.find(job.jid)
            spec = known or self._jobs.create(job)
            if spec is None:
                continue
            if spec.fingerprint == job.fingerprint and self._jobs.must_be_posted(spec):
                self._jobs.post(spec, job.env, first=known is None)
            info = self._jobs.look(spec)
            if info:
                return info
        raise EngineUnavailableError(f"job {job.jid!r} is removed again and again")

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        """Read the notes of the run; while it has not ended, ask Cromwell, too."""
        spec = self._jobs.find(jid)
        info = self._jobs.look(spec) if spec else None
        if info is None:
            raise UnknownJobError(jid)
        return info

    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        """Read the end of the log, on the shared storage."""
        spec = self._jobs.find(info.jid)
        if spec is None:
            raise UnknownJobError(info.jid)
        return self._store.log(spec, tail_lines, max_bytes)

    @hookimpl
    def pman_cancel(self, jid: str) -> JobInfo:
        """Write it down, abort, and wait for the end."""
        spec = self._jobs.find(jid)
        info = self._jobs.cancel(spec) if spec else None
        if info is None:
            raise UnknownJobError(jid)
        return info

    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        """Abort, mark as removed, forget."""
        spec = self._jobs.find(jid)
        if spec is None:
            return False
        self._jobs.remove(spec)
        return True

    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """In the order of names."""
        return page_by_name(self._store.names(), self._look, job_filter, limit, cursor)

    @hookimpl
    def pman_resume(self) -> None:
        """End what a killed pman was ending, and delete what it was deleting."""
        self._jobs.resume()

    def _look(self, name: str) -> JobInfo | None:
        spec = self._store.spec(name)
        return self._jobs.look(spec, listing=True) if spec else None
