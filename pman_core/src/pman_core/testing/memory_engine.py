"""A pretended engine: jobs are threads, and every limit is kept by pretending too.

It outlives the plugins that talk to it, as a real engine does. It is for tests only: what
runs on it is no process, has no container and needs no image.
"""

from __future__ import annotations

import contextlib
import os
import threading
import traceback
import weakref
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import attrs

from pman_core.contract.info import Reason, Status
from pman_core.contract.job import Job
from pman_core.contract.mounts import Mount
from pman_core.kit import outcome as outcomes
from pman_core.kit.causes import pull_cause, pull_message
from pman_core.kit.outcome import Outcome
from pman_core.testing import probe

#: A program of the engine: what the main process of a job does, and its exit code.
Program = Callable[["MemoryMachine", list[str]], int]


class Ended(BaseException):
    """Ends a pretended process from outside."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


@attrs.define
class Record:
    """One job, as the engine keeps it."""

    job: Job
    instance: str
    created: datetime
    message: str = "waiting"
    reason: Reason | None = None
    outcome: Outcome | None = None
    started: datetime | None = None
    finished: datetime | None = None
    suspended: datetime | None = None
    suspended_s: float = 0.0
    logs: list[bytearray] = attrs.field(factory=list)
    threads: list[threading.Thread] = attrs.field(factory=list)
    kill: threading.Event = attrs.field(factory=threading.Event)

    def end(self, outcome: Outcome) -> None:
        """Keep how it ended; the first failure of several workers is the one that counts."""
        if self.outcome is None:
            self.outcome, self.finished = outcome, now()


class MemoryEngine:
    """The jobs, the images and the switch.

    :param images: the images that the engine has, each with the program that it holds.
    :param gpus: how many GPUs it has; a job that wants more waits.
    """

    def __init__(self, images: Mapping[str, Program] | None = None, gpus: int = 0) -> None:
        self.images: dict[str, Program] = dict(images or {"local": run_probe})
        self.gpus = gpus
        self.up = True
        self.confines = True  # jobs cannot gain privileges
        self.pins_directories = True  # what takes the place of a directory later is not seen
        self.has_init = True  # an init reaps orphans, and signals arrive
        self.ends_descendants = True  # nothing of a job outlives its main process
        self.pull_faults: dict[str, str] = {}  # by image: what its registry says
        self.records: dict[str, Record | None] = {}  # None: an object that is no job of pman
        self.lock = threading.RLock()

    def launch(self, record: Record) -> None:
        """Start a job for which there is room, or note why it cannot start."""
        job = record.job
        if job.resources.gpus > self.gpus:
            record.reason, record.message = Reason.QUEUED, "waiting: too few GPUs"
            return
        if job.image in self.pull_faults:
            self._cannot_pull(record, self.pull_faults[job.image])
            return
        program = self.images.get(job.image)
        if program is None:
            record.end(Outcome(f"no such image: {job.image}", Reason.IMAGE_NOT_FOUND))
            return
        if job.workdir and not any(job.workdir == mount.target for mount in job.mounts):
            record.end(outcomes.cannot_start(f"no such working directory: {job.workdir}"))
            return
        try:
            machines = [MemoryMachine(record, self) for _ in range(job.resources.workers)]
        except OSError as error:
            record.end(outcomes.cannot_start(f"no such directory: {error.filename}"))
            return
        record.message, record.reason = "running", None
        record.started = now()
        left = [len(machines)]
        for machine in machines:
            target = threading.Thread(
                target=self._run, args=(record, program, machine, left), daemon=True
            )
            record.threads.append(target)
            target.start()

    def _run(
        self, record: Record, program: Program, machine: MemoryMachine, left: list[int]
    ) -> None:
        try:
            outcome = outcomes.exited(program(machine, list(record.job.argv)))
        except Ended as end:
            outcome = end.outcome
        except FileNotFoundError as error:
            outcome = outcomes.cannot_start(str(error), 127)
        except Exception:  # a real process would end with a traceback
            machine.emit(2, traceback.format_exc().encode())
            outcome = outcomes.exited(1)
        with self.lock:
            left[0] -= 1
            if outcome.status is Status.FAILED or left[0] == 0:
                record.end(outcome)
                if self.ends_descendants:
                    record.kill.set()

    def _cannot_pull(self, record: Record, words: str) -> None:
        cause, message = pull_cause(words), pull_message(record.job.image, words)
        if cause.is_final:
            record.end(Outcome(message, cause.reason))
        else:
            record.reason, record.message = cause.reason, message

    def restart(self, name: str) -> None:
        """Start an ended job again, as an operator does who starts all that has ended."""
        record = self.records[name]
        if record:
            record.end(outcomes.exited(0))  # the first end stays

    def suspend(self, name: str, *, suspended: bool) -> None:
        """Let the processes of a job stand still, or go on."""
        record = self.records[name]
        if record and record.started:
            with self.lock:
                if suspended:
                    record.suspended, record.message = now(), "suspended"
                elif record.suspended:
                    record.suspended_s += (now() - record.suspended).total_seconds()
                    record.suspended, record.message = None, "running"

    def lose(self, name: str) -> None:
        """Lose the run of a job, as an engine does whose node went away."""
        record = self.records[name]
        if record:
            with self.lock:
                record.end(outcomes.lost("the engine does not know what became of it"))
            self.destroy(record)

    def crash(self) -> None:
        """End at once, and with it all that runs; a real engine reads its records again."""
        self.up = False
        for name, record in self.records.items():
            if record and record.started:
                self.lose(name)

    def cancel(self, record: Record) -> None:
        """End a job, and keep it; the note of its end comes first."""
        with self.lock:
            record.end(outcomes.cancelled())
        self.destroy(record)

    def destroy(self, record: Record) -> None:
        """End whatever runs of a job, and wait until it has ended."""
        record.kill.set()
        for thread in record.threads:
            thread.join(timeout=10)


class MemoryMachine(probe.Machine):
    """What a pretended process sees of its job."""

    def __init__(self, record: Record, engine: MemoryEngine) -> None:
        self.job = record.job
        self._record = record
        self._engine = engine
        self._lock = engine.lock
        self._held = 0
        self._log = bytearray()
        self._directories = {mount: self._opened(mount) for mount in self.job.mounts}
        record.logs.append(self._log)

    def _opened(self, mount: Mount) -> str:
        """The directory of a mount as it is now, by a path that stays the same."""
        if not self._engine.pins_directories:
            os.stat(f"{mount.host_path}/")
            return mount.host_path
        flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
        opened = os.open(mount.host_path, flags)
        weakref.finalize(self, os.close, opened)
        return f"/proc/self/fd/{opened}"

    def environ(self) -> dict[str, str]:
        return {k.encode().hex(): v.encode().hex() for k, v in self.job.env.items()}

    def ids(self) -> list[int]:
        user = self.job.user
        return [(user and user.uid) or 0, (user and user.gid) or 0]

    def cwd(self) -> str:
        return self.job.workdir or "/"

    def shm_mib(self) -> float:
        return self.job.shm_mib or 64

    def cannot_gain_privileges(self) -> bool:
        return self._engine.confines

    def path(self, path: str) -> str:
        """The real path behind a mount; nothing else of the machine can be seen."""
        for mount in self.job.mounts:
            if (path + "/").startswith(mount.target + "/"):
                return self._directories[mount] + path[len(mount.target) :]
        raise FileNotFoundError(f"no such file: {path}")

    def for_writing(self, path: str) -> str:
        real = self.path(path)
        for mount in self.job.mounts:
            if mount.read_only and (path + "/").startswith(mount.target + "/"):
                raise PermissionError(f"read-only file system: {path}")
        return real

    def emit(self, stream: int, data: bytes) -> None:
        with self._lock:
            self._log += data

    def pause(self) -> None:
        limit = self.job.time_limit_s
        if limit and self._ran_s() > limit:
            raise Ended(outcomes.over_time_limit(limit))
        if self._record.kill.wait(0.005):
            raise Ended(outcomes.signalled(9))

    def _ran_s(self) -> float:
        record = self._record
        if record.started is None:
            return 0.0
        until = record.suspended or now()
        return (until - record.started).total_seconds() - record.suspended_s

    def allocate(self, mib: int) -> object:
        self._held += mib
        limit = self.job.resources.memory_mib
        if limit is not None and self._held > limit:
            raise Ended(outcomes.out_of_memory())
        return mib

    def fork_eaters(self, count: int, mib: int) -> int:
        self.allocate(count * mib)
        return 0

    def cpu_share(self, seconds: float) -> float:
        limit = self.job.resources.cpu_millicores
        return 2.0 if limit is None else min(2.0, limit / 1000)

    def unreaped_orphans(self, count: int) -> int:
        return 0 if self._engine.has_init else count

    def descend(self, run: Callable[[], object]) -> None:
        def until_killed() -> None:
            with contextlib.suppress(Ended):
                run()

        thread = threading.Thread(target=until_killed, daemon=True)
        self._record.threads.append(thread)
        thread.start()

    def kill_self(self, signal: int) -> int:
        if not self._engine.has_init:
            return 99
        raise Ended(outcomes.signalled(signal))


def run_probe(machine: MemoryMachine, argv: list[str]) -> int:
    """The program of the image ``local``: the commands of the probe, and nothing else."""
    if not argv or argv[0] != "probe":
        raise FileNotFoundError(f"no such executable: {argv[0] if argv else ''}")
    return probe.main(machine, argv[1:])


def now() -> datetime:
    """This moment, aware and in UTC."""
    return datetime.now(UTC)
