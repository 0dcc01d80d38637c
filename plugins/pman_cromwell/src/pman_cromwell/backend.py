"""The hooks of the backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pman_core import Capabilities, Job, JobFilter, JobInfo, JobPage, hookimpl
from pman_core.contract.errors import UnknownJobError
from pman_core.kit.paging import page_by_name
from pman_core.kit.settings import load
from pman_cromwell.cancel import Cancellation
from pman_cromwell.capabilities import capabilities
from pman_cromwell.client import Cromwell
from pman_cromwell.job_spec import JobSpec
from pman_cromwell.job_store import JobStore
from pman_cromwell.reconcile import Reconciler
from pman_cromwell.removal import Removal
from pman_cromwell.settings import CromwellSettings, jobs_folder
from pman_cromwell.submission import Submission
from pman_cromwell.validate import validate

T = TypeVar("T")


class CromwellBackend:
    """Jobs on SLURM, through Cromwell; ``CONTAINER_ENV=cromwell``.

    It keeps nothing in memory: all is in Cromwell and in the jobs folder.

    :raises SettingsError: a setting is wrong.
    """

    settings_class = CromwellSettings

    def __init__(self, environ: Mapping[str, str]) -> None:
        settings = load(CromwellSettings, environ)
        timeout_s = settings.engine_timeout_s
        self._settings = settings
        self._folder = jobs_folder(settings, environ)
        self._cromwell = Cromwell(settings.url or "", timeout_s)
        self._store = JobStore(self._folder, settings.instance)
        self._jobs = Reconciler(self._cromwell, self._store, settings.start_deadline_s)
        self._submission = Submission(
            self._cromwell, self._store, self._jobs, settings, self._folder
        )
        self._removal = Removal(self._cromwell, self._store, timeout_s)
        self._cancellation = Cancellation(self._store, self._jobs, self._removal, timeout_s)

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
        """Ask Cromwell who it is, and write to the jobs folder."""
        version = self._cromwell.version()
        self._store.check()
        return f"Cromwell {version} at {self._cromwell.url}; jobs in {self._folder}"

    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        """The record is the lock; posting is repeated until Cromwell is known to have it."""
        return self._submission.submit(job)

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        """Read the files of the run; while it has not ended, ask Cromwell, too."""
        return _known(self._jobs.look(self._spec(jid)), jid)

    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        """Read the end of the log, on the shared storage."""
        return self._store.log(self._spec(info.jid), tail_lines, max_bytes)

    @hookimpl
    def pman_cancel(self, jid: str) -> JobInfo:
        """Write it down, abort, and wait for the end."""
        return _known(self._cancellation.cancel(self._spec(jid)), jid)

    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        """Abort, mark as removed, delete the record."""
        spec = self._store.find(jid)
        if spec is None:
            return False
        self._removal.remove(spec)
        return True

    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """In the order of names."""
        return page_by_name(self._store.names(), self._listed, job_filter, limit, cursor)

    @hookimpl
    def pman_resume(self) -> None:
        """End what a killed pman was ending, and delete what it was deleting."""
        self._jobs.resume()

    def _spec(self, jid: str) -> JobSpec:
        return _known(self._store.find(jid), jid)

    def _listed(self, name: str) -> JobInfo | None:
        spec = self._store.spec(name)
        return self._jobs.look(spec) if spec else None


def _known(found: T | None, jid: str) -> T:
    if found is None:
        raise UnknownJobError(jid)
    return found
