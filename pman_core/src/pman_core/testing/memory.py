"""The smallest honest backend: jobs in the memory of this process.

It keeps every promise of the contract towards a pretended engine. Read it as an example of a
plugin; the tests of the REST service run on it. It is not installed as a backend: what it
runs is no process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pman_core.contract.capabilities import Capabilities
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_core.contract.feed import News
from pman_core.contract.hookspecs import hookimpl
from pman_core.contract.info import JobFilter, JobInfo, JobPage
from pman_core.contract.job import Job
from pman_core.contract.mounts import HostPath
from pman_core.kit import job_info, logs
from pman_core.kit.feed import polled
from pman_core.kit.names import native_name
from pman_core.kit.paging import page_by_name
from pman_core.kit.settings import EngineSettings, load
from pman_core.kit.submission import create_or_find
from pman_core.testing.memory_engine import MemoryEngine, Record, now


class MemoryBackend:
    """A backend whose engine is a Python object.

    :param environ: the environment, as for every backend.
    :param engine: the engine to talk to; plugins that share one see each other's jobs.
    """

    settings_class = EngineSettings

    def __init__(self, environ: Mapping[str, str], engine: MemoryEngine | None = None) -> None:
        self._settings = load(EngineSettings, environ)
        self._engine = engine or MemoryEngine()

    @hookimpl
    def pman_capabilities(self) -> Capabilities:
        """It refuses nothing and deviates in nothing."""
        return Capabilities(mounts={HostPath}, freshness_s=2.0)

    @hookimpl
    def pman_ping(self) -> str:
        """The engine is there unless a test has switched it off."""
        self._reach()
        return "memory engine"

    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        """The name in the engine is the lock: the first to take it creates the job."""
        self._reach()
        name = self._name(job.jid)
        with self._engine.lock:
            return create_or_find(
                job.jid,
                name,
                create=lambda: self._create(name, job),
                find=lambda: self._found(job.jid),
                is_foreign=lambda: name in self._engine.records,
            )

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        """Look the job up."""
        with self._engine.lock:
            return self._info(self._find(jid))

    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        """What the threads of the job have written."""
        with self._engine.lock:
            written = [bytes(log[-max_bytes:]) for log in self._find(info.jid).logs]
        return logs.tail_of_workers(
            lambda index, _lines, _bytes: [written[index]], len(written), tail_lines, max_bytes
        )

    @hookimpl
    def pman_cancel(self, jid: str) -> JobInfo:
        """The first end that is noted stays."""
        record = self._find(jid)
        self._engine.cancel(record)
        with self._engine.lock:
            return self._info(record)

    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        """End the threads first, so that nothing runs on once the job is gone."""
        try:
            record = self._find(jid)
        except UnknownJobError:
            return False
        self._engine.destroy(record)
        with self._engine.lock:
            return self._engine.records.pop(self._name(jid), None) is not None

    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """In the order of names."""
        self._reach()
        with self._engine.lock:
            mine = self._mine()
            return page_by_name(
                mine, lambda name: self._info(mine[name]), job_filter, limit, cursor
            )

    @hookimpl
    def pman_watch(self, freshness_s: float) -> Iterator[News]:
        """Looks at all jobs, again and again: that costs nothing here."""
        return polled(self._all, freshness_s)

    def _all(self) -> list[JobInfo]:
        self._reach()
        with self._engine.lock:
            return [self._info(record) for record in self._mine().values()]

    def _mine(self) -> dict[str, Record]:
        """The jobs of this pman by their names; the engine's lock must be held."""
        return {
            name: record
            for name, record in self._engine.records.items()
            if record is not None and record.instance == self._settings.instance
        }

    def _reach(self) -> None:
        if not self._engine.up:
            raise EngineUnavailableError("the memory engine is switched off; switch it on")

    def _name(self, jid: str) -> str:
        return native_name(jid, self._settings.instance)

    def _is_mine(self, record: Record, jid: str) -> bool:
        return record.instance == self._settings.instance and record.job.jid == jid

    def _create(self, name: str, job: Job) -> JobInfo | None:
        if name in self._engine.records:
            return None
        record = Record(job, self._settings.instance, now())
        self._engine.records[name] = record
        self._engine.launch(record)
        return self._info(record)

    def _found(self, jid: str) -> JobInfo | None:
        record = self._engine.records.get(self._name(jid))
        return self._info(record) if record and self._is_mine(record, jid) else None

    def _find(self, jid: str) -> Record:
        self._reach()
        record = self._engine.records.get(self._name(jid))
        if record is None or not self._is_mine(record, jid):
            raise UnknownJobError(jid)
        return record

    def _info(self, record: Record) -> JobInfo:
        name = self._name(record.job.jid)
        info = job_info.waiting(
            record.job, record.message, record.reason, created=record.created, native=name
        )
        if record.started:
            info = job_info.running(info, record.started, record.message)
        if record.outcome is None:
            late = job_info.overdue(info, now(), self._settings.start_deadline_s)
            if late:
                record.end(late)
        return job_info.ended(info, record.outcome, record.finished) if record.outcome else info
