"""The hooks of a backend whose jobs are in a store and run under supervisors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import attrs

from pman_core import Job, JobFilter, JobInfo, JobPage
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_core.contract.feed import News
from pman_core.kit.names import native_name
from pman_core.kit.paging import UnsettledError, page_by_name
from pman_core.kit.settings import EngineSettings
from pman_core.kit.submission import create_or_find
from pman_kit.errors import engine_errors
from pman_kit.feed import StoreFeed
from pman_kit.job_folder import JobFolder
from pman_kit.logs import log_end
from pman_kit.reconcile import Launch, reconcile
from pman_kit.record import Record, environment_of, record_of
from pman_kit.removal import remove
from pman_kit.status import WAITING, info_of
from pman_kit.store import JobStore


@attrs.frozen(kw_only=True)
class SupervisedJobs:
    """What the hooks of a backend do; each hook calls the method of its name.

    It keeps nothing in memory: each answer comes from the store. All methods raise
    ``EngineUnavailableError`` where the store cannot be used.

    :param store: holds the jobs; :meth:`JobStore.prepare` was called.
    :param settings: of the plugin; its instance, time-out and deadline count.
    :param launch: has the engine run the supervisor of a job.
    :param environment: the variables that every job gets besides those of its request.
    :param log_max_mib: where the log of a job grows longer, its older half is dropped, in MiB.
    :param waiting: the message of a job that has not begun.
    """

    store: JobStore
    settings: EngineSettings
    launch: Launch
    environment: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    log_max_mib: int = 1024
    waiting: str = WAITING

    def check(self) -> None:
        """Check that the store can be written; for ``pman_ping``."""
        with engine_errors(self.store.root):
            self.store.sweep()
            self.store.try_writing()

    def submit(self, job: Job) -> JobInfo:
        """Create a job and launch it, or find the one that exists. Of many, one creates it.

        :raises NameTakenError: its name belongs to something that is not such a job.
        """
        with engine_errors(self.store.root):
            self.store.sweep()
            return create_or_find(
                job.jid,
                self._name(job.jid),
                create=lambda: self._create(job),
                find=lambda: self._find(job.jid),
                is_foreign=lambda: self._is_foreign(job.jid),
            )

    def status(self, jid: str) -> JobInfo:
        """Read the records of a job, and do what is due for it.

        :raises UnknownJobError: there is no such job.
        """
        with engine_errors(self.store.root):
            info = self._find(jid)
        if info is None:
            raise UnknownJobError(jid)
        return info

    def logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        """Read the end of a job's log.

        :raises UnknownJobError: there is no such job.
        """
        with engine_errors(self.store.root):
            folder = self.store.folder(self._name(info.jid))
            if folder:
                with folder:
                    end = log_end(folder, tail_lines, max_bytes)
                    if self._record(folder) and folder.is_in_place():
                        return end
        raise UnknownJobError(info.jid)

    def cancel(self, jid: str) -> JobInfo:
        """Write down that the job is to end, have its supervisor end it, and read the end.

        :raises UnknownJobError: there is no such job.
        :raises EngineUnavailableError: it did not end in time.
        """
        with engine_errors(self.store.root):
            folder = self.store.folder(self._name(jid))
            if folder:
                with folder:
                    record = self._record(folder)
                    if record and record.jid == jid and not folder.ended():
                        folder.request_cancellation()
                        with folder.lock_after_end(self.settings.engine_timeout_s):
                            pass
        return self.status(jid)

    def remove(self, jid: str) -> bool:
        """End a job with all its processes, and delete it; ``False`` if there is none.

        :raises EngineUnavailableError: it did not end in time.
        """
        with engine_errors(self.store.root):
            self.store.sweep()
            folder = self.store.folder(self._name(jid))
            if folder is None:
                return False
            with folder:
                record = self._record(folder)
                if record is None:
                    return False
                return remove(self.store, folder, record, self.settings.engine_timeout_s)

    def page(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """One page of the jobs that match, in the order of names; for ``pman_list``.

        :raises InvalidJobError: the cursor is of no page.
        """
        with engine_errors(self.store.root):
            return page_by_name(self.store.names(), self._look, job_filter, limit, cursor)

    def watch(self, freshness_s: float) -> Iterator[News]:
        """The feed of the jobs; for ``pman_watch``."""
        return StoreFeed(self.store, self._look).news(freshness_s)

    def resume(self) -> None:
        """Look at every job, which does what a killed pman left undone.

        :raises EngineUnavailableError: that failed for a job; all others were looked at.
        """
        with engine_errors(self.store.root):
            self.store.sweep()
            fault = None
            for name in self.store.names():
                try:
                    self._look(name)
                except (EngineUnavailableError, OSError) as error:  # the others are looked at first
                    fault = error
            if fault:
                raise fault

    def _name(self, jid: str) -> str:
        return native_name(jid, self.settings.instance)

    def _find(self, jid: str) -> JobInfo | None:
        info = self._look(self._name(jid))
        return info if info and info.jid == jid else None

    def _look(self, name: str) -> JobInfo | None:
        """The job of that name, if it belongs to this instance and is still there.

        :raises UnsettledError: what is due for it cannot be done now.
        """
        folder = self.store.folder(name)
        if folder is None:
            return None
        with folder:
            record = self._record(folder)
            if record is None:
                return None
            fault = None if folder.ended() else self._reconcile(folder, record)
            ended = folder.ended()  # first: a job that has an end has begun, if it ever does
            info = info_of(record, folder.began(), ended, name, self.waiting)
            if not folder.is_in_place():
                return None
            if fault:
                raise UnsettledError(info, fault) from fault
            return info

    def _reconcile(self, folder: JobFolder, record: Record) -> EngineUnavailableError | None:
        """Do what is due; why that cannot be done now, if it cannot."""
        try:
            with engine_errors(self.store.root):
                reconcile(
                    folder,
                    record,
                    self.launch,
                    timeout_s=self.settings.engine_timeout_s,
                    start_deadline_s=self.settings.start_deadline_s,
                    waiting=self.waiting,
                )
        except EngineUnavailableError as error:
            return error
        return None

    def _record(self, folder: JobFolder) -> Record | None:
        """The record of a job of this instance whose folder has the right name."""
        record = folder.record()
        if record and record.instance == self.settings.instance:
            return record if self._name(record.jid) == folder.path.name else None
        return None

    def _is_foreign(self, jid: str) -> bool:
        """Whether the job's name belongs to something that is not a job of this instance."""
        name = self._name(jid)
        folder = self.store.folder(name)
        if folder is None:
            return self.store.is_taken(name)
        with folder:
            record = self._record(folder)
            return (record is None or record.jid != jid) and folder.is_in_place()

    def _create(self, job: Job) -> JobInfo | None:
        """Create and launch a job; ``None`` if its name is taken."""
        name = self._name(job.jid)
        record = record_of(job, self.settings.instance, datetime.now(UTC), self.log_max_mib << 20)
        environment = environment_of(job, self.environment, record)
        with self.store.create(name, record, environment) as created:
            if created is None:
                return None
            self.launch(*created)
            return info_of(record, None, None, name, self.waiting)
