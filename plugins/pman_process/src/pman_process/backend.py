"""The hooks of the backend."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from pman_core import Capabilities, Job, JobFilter, JobInfo, JobPage, hookimpl
from pman_core.contract.errors import (
    EngineUnavailableError,
    NameTakenError,
    UnknownJobError,
)
from pman_core.kit.names import native_name
from pman_core.kit.paging import page_by_name
from pman_core.kit.settings import load
from pman_kit.errors import told_as_unavailable
from pman_kit.job_folder import Folder
from pman_kit.logs import log_end
from pman_kit.orphans import end_marked
from pman_kit.record import Record, environment_of, info_of, record_of
from pman_kit.store import State
from pman_process.capabilities import capabilities, validate
from pman_process.reconcile import settle
from pman_process.settings import ProcessSettings, base_environment, state_folder
from pman_process.spawn import launch

#: How often a submit looks for a job that is removed whenever it has just been found.
_ATTEMPTS = 20


class ProcessBackend:
    """Jobs as local processes; ``CONTAINER_ENV=process``.

    It keeps nothing in memory: each answer comes from the state folder.

    :raises SettingsError: a setting is wrong, or the state folder cannot be used.
    """

    settings_class = ProcessSettings

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._settings = load(ProcessSettings, environ)
        self._base = base_environment(self._settings, environ)
        self._state = State(state_folder(self._settings, environ))
        self._state.prepare()

    @hookimpl
    def pman_capabilities(self) -> Capabilities:
        """A plain process has no mounts, no isolation, and no CPU limit."""
        return capabilities()

    @hookimpl
    def pman_validate(self, job: Job) -> None:
        """The image must be ``local``: there are none."""
        validate(job)

    @hookimpl
    def pman_ping(self) -> str:
        """Write to the state folder."""
        with told_as_unavailable(self._state.root):
            self._state.sweep()
            self._state.try_writing()
        return f"local processes on {platform.node()} ({platform.system()} {platform.release()})"

    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        """The job's folder is the lock: whoever gives it its name creates the job."""
        with told_as_unavailable(self._state.root):
            self._state.sweep()
            for _ in range(_ATTEMPTS):
                info = self._find(job.jid) or self._create(job)
                if info:
                    return info
                if self._is_foreign(job.jid):
                    raise NameTakenError(job.jid, self._name(job.jid))
        raise EngineUnavailableError(f"job {job.jid!r} is removed again and again")

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        """Read the job's records; no process is looked at."""
        with told_as_unavailable(self._state.root):
            info = self._find(jid)
        if info is None:
            raise UnknownJobError(jid)
        return info

    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        """Read the end of the log."""
        with told_as_unavailable(self._state.root):
            folder = self._state.folder(self._name(info.jid))
            if folder:
                with folder:
                    end = log_end(folder, tail_lines, max_bytes)
                    if self._record(folder) and folder.is_in_place():
                        return end
        raise UnknownJobError(info.jid)

    @hookimpl
    def pman_cancel(self, jid: str) -> JobInfo:
        """Note it, have the supervisor end the job, and see what it wrote down."""
        with told_as_unavailable(self._state.root):
            folder = self._state.folder(self._name(jid))
            if folder:
                with folder:
                    record = self._record(folder)
                    if record and record.jid == jid and not folder.ended():
                        folder.note_cancellation()
                        with folder.lock_after_end(self._settings.engine_timeout_s):
                            pass
        return self.pman_status(jid)

    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        """Have the supervisor end the job, then delete the folder."""
        with told_as_unavailable(self._state.root):
            self._state.sweep()
            folder = self._state.folder(self._name(jid))
            if folder is None:
                return False
            with folder:
                record = self._record(folder)
                return record is not None and self._destroy(folder, record)

    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """In the order of names."""
        look = partial(self._look, listing=True)
        with told_as_unavailable(self._state.root):
            return page_by_name(self._state.names(), look, job_filter, limit, cursor)

    @hookimpl
    def pman_resume(self) -> None:
        """Look at every job: that begins what a killed pman handed to nobody."""
        with told_as_unavailable(self._state.root):
            self._state.sweep()
            fault = None
            for name in self._state.names():
                try:
                    self._look(name)
                except (EngineUnavailableError, OSError) as error:  # the others are looked at first
                    fault = error
            if fault:
                raise fault

    def _name(self, jid: str) -> str:
        return native_name(jid, self._settings.instance)

    def _find(self, jid: str) -> JobInfo | None:
        info = self._look(self._name(jid))
        return info if info and info.jid == jid else None

    def _look(self, name: str, *, listing: bool = False) -> JobInfo | None:
        """The job of that name, if it is one of ours and still there.

        :param listing: what cannot be done with it now is no fault of the whole list.
        """
        folder = self._state.folder(name)
        if folder is None:
            return None
        with folder:
            record = self._record(folder)
            if record is None:
                return None
            try:
                if not folder.ended():
                    settle(folder, record, self._settings)
            except (EngineUnavailableError, OSError):
                if not listing:
                    raise
            info = info_of(record, folder.began(), folder.ended(), name)
            return info if folder.is_in_place() else None

    def _record(self, folder: Folder) -> Record | None:
        """The record of a job of this instance whose folder has the right name."""
        record = folder.record()
        if record and record.instance == self._settings.instance:
            return record if self._name(record.jid) == folder.path.name else None
        return None

    def _is_foreign(self, jid: str) -> bool:
        """Whether the job's name is taken by something that is no job of ours."""
        name = self._name(jid)
        folder = self._state.folder(name)
        if folder is None:
            return self._state.has(name)
        with folder:
            record = self._record(folder)
            return (record is None or record.jid != jid) and folder.is_in_place()

    def _create(self, job: Job) -> JobInfo | None:
        """Create and start the job; ``None`` if its name has been taken meanwhile."""
        settings, name = self._settings, self._name(job.jid)
        if self._state.has(name):
            return None  # an empty foreign folder would be replaced by the rename
        log_max = settings.log_max_mib << 20
        record = record_of(job, settings.instance, datetime.now(UTC), log_max)
        environment = environment_of(job, self._base, record)
        with self._state.create(name, record, environment) as created:
            if created is None:
                return None
            launch(*created, settings.engine_timeout_s)
            return info_of(record, None, None, name)

    def _destroy(self, folder: Folder, record: Record) -> bool:
        """End and delete a job; ``False`` if somebody else did so meanwhile."""
        timeout_s = self._settings.engine_timeout_s
        with folder.lock_after_end(timeout_s) as held:
            if held:
                if folder.began() and not folder.ended():
                    end_marked(record.mark, timeout_s)
                self._state.discard(folder)
            return held
