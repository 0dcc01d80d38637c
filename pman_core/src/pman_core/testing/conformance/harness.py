"""The tools that the conformance tests work with: places, jobs, and waiting for conditions."""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import json
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import attrs
import pytest

from pman_core._internal import registry
from pman_core._internal.backend import Backend
from pman_core._internal.job_builder import job_directories
from pman_core.contract.capabilities import Deviation, Option
from pman_core.contract.errors import PmanError
from pman_core.contract.info import JobInfo, Status
from pman_core.contract.job import Job, Resources
from pman_core.contract.mounts import Mount
from pman_core.kit.serial import job_to_json
from pman_core.testing.conformance.account import account_of
from pman_core.testing.conformance.subject import Subject
from pman_core.testing.conformance.submitting import Order, begin_and_kill

T = TypeVar("T")

_ORDER = {Status.NOT_STARTED: 0, Status.STARTED: 1, Status.SUCCEEDED: 2, Status.FAILED: 2}

#: On some engines only time shows that no process starts a job any more: see ``pman_resume``.
_SHORT_TIMEOUT_S = 3.0

#: How long a job may take to run once a backend says that it is gone on with.
_SETTLE_S = 20.0

TAIL_LINES = 1000
MAX_BYTES = 2**20


@attrs.frozen
class Place:
    """The directories of one job, as the test sees them and as the job does."""

    local_in: Path
    local_out: Path
    job_in: str
    job_out: str
    mounts: tuple[Mount, Mount]

    def dump(self) -> dict[str, Any]:
        """What the probe's ``dump`` wrote down."""
        found: dict[str, Any] = json.loads((self.local_out / "dump.json").read_text())
        return found

    def runs(self) -> int:
        """How often the probe's ``count`` ran."""
        runs = self.local_out / "runs"
        return len(runs.read_text().splitlines()) if runs.exists() else 0

    def release(self) -> None:
        """Let the probe's ``hold`` end."""
        (self.local_out / "release").touch()

    def is_held(self) -> bool:
        """Whether the process of the probe's ``hold`` is still alive."""
        with (self.local_out / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


class Harness:
    """One test's jobs; what is left of them is removed at its end."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.backend = self.fresh()
        self.capabilities = self.backend.capabilities
        self._folder = subject.storebase / f"conformance-{uuid.uuid4().hex[:12]}"
        self._jobs: list[tuple[Backend, str]] = []
        self._seen: dict[str, JobInfo] = {}

    def fresh(self, **environ: str) -> Backend:
        """A new plugin that knows nothing but its environment."""
        plugin = self.subject.factory({**self.subject.environ, **environ})
        manager = registry.new_manager()
        registry.register_backend(manager, plugin, "the backend under test")
        return Backend(manager, "subject")

    # ------------------------------------------------------------ making jobs

    def place(self, *, same: bool = False) -> Place:
        """New input and output directories; ``same`` makes them one."""
        name = uuid.uuid4().hex[:12]
        parts = (f"{name}/both",) * 2 if same else (f"{name}/in", f"{name}/out")
        for part in parts:
            local = self._folder / part
            local.mkdir(parents=True, exist_ok=True)
            local.chmod(0o777)  # the job may run as any user
        return self.place_at(*(f"{self._folder.name}/{part}" for part in parts))

    def place_at(self, input_dir: str, output_dir: str) -> Place:
        """Directories by their names in the storebase, whether they exist or not."""
        mounts = self.subject.storage.mounts(input_dir, output_dir)
        return Place(
            self.subject.storebase / input_dir,
            self.subject.storebase / output_dir,
            *job_directories(mounts, self.capabilities),
            mounts,
        )

    def job(self, place: Place, *command: str, **changes: Any) -> Job:
        """A job that runs a command of the probe; ``changes`` are fields of ``Job``."""
        limited = Option.MEMORY_LIMIT not in self.capabilities.refusals
        job = Job(
            jid=f"conformance-{uuid.uuid4().hex[:10]}",
            image=self.subject.image,
            argv=(*self.subject.probe, *command),
            resources=Resources(memory_mib=self.subject.memory_mib if limited else None),
            mounts=place.mounts,
            fingerprint="v1-" + hashlib.sha256(repr(command).encode()).hexdigest(),
        )
        return attrs.evolve(job, **changes)

    def resources(self, job: Job, **changes: Any) -> Job:
        """``job`` with other resources."""
        return attrs.evolve(job, resources=attrs.evolve(job.resources, **changes))

    # ------------------------------------------------------------ running them

    def submit(self, job: Job, backend: Backend | None = None) -> JobInfo:
        """Hand a job to the backend, as the core does, and have it removed in the end."""
        backend = backend or self.backend
        self._jobs.append((backend, job.jid))
        backend.validate(job)
        return self._checked(job.jid, lambda: backend.submit(job))

    def status(self, jid: str, backend: Backend | None = None) -> JobInfo:
        """The state of a job, which must never go backwards."""
        return self._checked(jid, lambda: (backend or self.backend).status(jid))

    def cancel(self, jid: str) -> JobInfo:
        """End a job and keep it."""
        return self._checked(jid, lambda: self.backend.cancel(jid))

    def run(self, place: Place, *command: str, **changes: Any) -> JobInfo:
        """Submit a command of the probe, and wait for its end."""
        return self.end_of(self.submit(self.job(place, *command, **changes)).jid)

    def end_of(self, jid: str, backend: Backend | None = None) -> JobInfo:
        """Wait for the end of a job."""
        return self.until(
            f"the end of job {jid}",
            lambda: self.status(jid, backend),
            lambda info: info.status.is_final,
        )

    def hold(self, place: Place, **changes: Any) -> JobInfo:
        """Submit a job that runs until it is released, and wait until it runs."""
        job = self.submit(self.job(place, "hold", place.job_out, **changes))
        self.until_running(job.jid, place)
        return self.until(
            f"job {job.jid} to be reported as started",
            lambda: self.status(job.jid),
            lambda info: info.status is not Status.NOT_STARTED,
        )

    def until_running(self, jid: str, place: Place) -> None:
        """Wait until the probe's ``hold`` runs in a job; fail at once where the job has ended."""
        running = place.local_out / "running"

        def look() -> bool:
            if running.exists():
                return True
            info = self.status(jid)
            if info.status.is_final and not running.exists():
                pytest.fail(f"the job ended before it ran\n{self.account_of(info)}")
            return False

        self.until(f"job {jid} to run", look, bool)

    def logs(self, info: JobInfo, lines: int = TAIL_LINES, size: int = MAX_BYTES) -> bytes:
        """The log of a job."""
        return self.backend.logs(info, lines, size)

    def logs_with(self, info: JobInfo, wanted: bytes) -> bytes:
        """The log of a job, once it holds ``wanted``."""
        return self.until(
            f"{wanted!r} in the logs", lambda: self.logs(info), lambda logs: wanted in logs
        )

    def until(self, what: str, look: Callable[[], T], enough: Callable[[T], bool]) -> T:
        """Look again and again until it is enough, and return what was seen last."""
        deadline = time.monotonic() + self.subject.patience_s
        while True:
            seen = look()
            if enough(seen):
                return seen
            if time.monotonic() > deadline:
                pytest.fail(f"waited in vain for {what}; last seen: {seen!r:.2000}")
            time.sleep(0.02)

    def begin_and_kill(self, job: Job, after_s: float, *, cancels: bool = False) -> bool:
        """Submit or cancel a job in a process of its own, and kill that so many seconds later.

        :return: whether it had begun.
        """
        self._jobs.append((self.backend, job.jid))
        factory = inspect.unwrap(self.subject.factory)
        order = Order(
            factory.__module__,
            factory.__qualname__,
            dict(self.subject.environ),
            job_to_json(job),
            cancels,
        )
        return begin_and_kill(order, after_s)

    def resume(self, enough: Callable[[], bool]) -> None:
        """Do what a pman does that begins to serve and has no clients, until it is enough.

        Where it never is: until the backend has nothing left to go on with, and a while longer.
        """
        backend = self.fresh(ENGINE_TIMEOUT=f"{_SHORT_TIMEOUT_S:g}")
        deadline = time.monotonic() + self.subject.patience_s
        next_s: float | None = time.monotonic()
        while not enough() and time.monotonic() < deadline:
            if next_s is not None and time.monotonic() >= next_s:
                again_s = backend.resume()
                next_s = None if again_s is None else time.monotonic() + again_s
                if again_s is None:
                    deadline = min(deadline, time.monotonic() + _SETTLE_S)
            time.sleep(0.02)

    # ------------------------------------------------------ where a promise is broken

    def account(self) -> str:
        """Every job of the test as it is now, with the end of its log, for a test that failed."""
        seen: dict[str, str] = {}
        for backend, jid in self._jobs:
            try:
                seen[jid] = self.account_of(backend.status(jid), backend)
            except PmanError as error:
                seen[jid] = f"job {jid}: {type(error).__name__}: {error}"
        return "\n".join(seen.values())

    def account_of(self, info: JobInfo, backend: Backend | None = None) -> str:
        """A job for the author of a plugin: how it ended, what it was to do, and what it wrote."""
        try:
            log = (backend or self.backend).logs(info, 10, 1000).decode(errors="replace")
        except PmanError as error:
            log = f"(cannot be read: {error})"
        return account_of(info, log, self.subject.probe)

    # ------------------------------------------------- what the backend declares

    def needs(self, option: Option) -> None:
        """Skip a test of an option that the backend refuses."""
        if option in self.capabilities.refusals:
            pytest.skip(f"refused: {option.value}: {self.capabilities.refusals[option]}")

    def deviates(self, deviation: Deviation) -> bool:
        """Whether the backend declares the weaker form."""
        return deviation in self.capabilities.deviations

    def not_run(self, why: str) -> NoReturn:
        """Report a promise as not run, which is not the same as kept."""
        pytest.skip(f"not run: {why}")

    # ------------------------------------------------------------------ the end

    def clean_up(self) -> None:
        """Remove all jobs and directories of the test."""
        faults = []
        for backend, jid in self._jobs:
            try:
                backend.remove(jid)
            except PmanError as error:
                faults.append(f"{jid}: {error}")
        shutil.rmtree(self._folder, ignore_errors=True)
        assert not faults, f"jobs could not be removed: {faults}"

    def _checked(self, jid: str, look: Callable[[], JobInfo]) -> JobInfo:
        # Of two looks at once each may see the job earlier than the other.
        before = self._seen.get(jid)
        info = look()
        assert info.status in _ORDER, f"{info.status} must never be answered"
        if before and before.fingerprint == info.fingerprint and before.created == info.created:
            rises = _ORDER[before.status] <= _ORDER[info.status]
            assert rises, f"went back from {before} to {info}"
            if before.status.is_final:
                assert info.status is before.status, f"the end changed from {before} to {info}"
        self._seen[jid] = info
        return info


def end_of(info: JobInfo) -> tuple[object, ...]:
    """What is reported of an end, and never changes again."""
    return info.status, info.exit_code, info.reason, info.message, info.finished
