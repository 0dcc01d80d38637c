"""The folder of one job, and the lock in it.

The lock decides who may change the job: first the pman that creates the folder, then the job's
supervisor, which holds it until the job has ended. The kernel frees it with the end of its last
holder. So a job with a free lock and no end is a job that no process takes care of.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.outcome import Outcome
from pman_core.kit.structuring import structured
from pman_kit.layout import (
    BEGAN,
    CANCELLED,
    CONTROL,
    ENDED,
    ENVIRONMENT,
    JOB,
    LOCK,
    read_record,
    take_lock,
    write_record,
)
from pman_kit.record import Began, Ended, Record
from pman_kit.supervisor.outcome import outcome

T = TypeVar("T")

log = logging.getLogger(__name__)


class JobFolder:
    """A job's folder that is held open; a context manager, which closes it.

    Files are reached through the open directory, so that all of them belong to one job, even
    where the folder's name goes to another job meanwhile. All methods raise ``OSError`` where the
    disk does not answer.

    :param path: the folder; its name is the native name of the job.
    :raises OSError: there is no such directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def __enter__(self) -> JobFolder:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def record(self) -> Record | None:
        """What the job is; ``None`` if this is not (or no longer) the folder of a job."""
        return self._read(JOB, Record)

    def began(self) -> Began | None:
        """When the job began; ``None`` if it has not."""
        return self._read(BEGAN, Began)

    def ended(self) -> Ended | None:
        """How the job ended; ``None`` if it has not."""
        return self._read(ENDED, Ended)

    def write_end(self, end: Outcome) -> bool:
        """Write down the end of a job that no supervisor takes care of; the lock must be held.

        The first end stays.

        :return: whether this was the first one.
        """
        if self.ended():
            return False
        write_record(self.fd, ENDED, outcome(end.exit_code, end.reason, end.message))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(ENVIRONMENT, dir_fd=self.fd)
        return True

    def is_cancelled(self) -> bool:
        """Whether a cancellation was requested; the job may have ended by itself all the same."""
        return os.access(CANCELLED, os.F_OK, dir_fd=self.fd)

    def request_cancellation(self) -> None:
        """Write down that the job is to end; this ends nothing. Any process may call it."""
        os.close(os.open(CANCELLED, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=self.fd))
        os.fsync(self.fd)

    def is_in_place(self) -> bool:
        """Whether this is still the folder of that name.

        A folder loses its name before anything in it is deleted. So what was read before this
        call is complete.
        """
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self.fd))

    def is_alive(self) -> bool:
        """Whether a supervisor runs the job at this moment.

        Exact, and without a process id: only the supervisor of this very job reads its control
        file, and the kernel knows whether anybody does.
        """
        control = self._control()
        if control is not None:
            os.close(control)
        return control is not None

    @contextlib.contextmanager
    def lock(self) -> Iterator[int | None]:
        """Hold the job's lock, and yield its descriptor; ``None`` if another process holds it.

        Of many that try, one gets it. This never waits.
        """
        try:
            lock = os.open(LOCK, os.O_RDWR, dir_fd=self.fd)
        except FileNotFoundError:  # the folder is being deleted
            yield None
            return
        try:
            yield lock if take_lock(lock) else None
        finally:
            os.close(lock)

    @contextlib.contextmanager
    def lock_after_end(self, timeout_s: float) -> Iterator[bool]:
        """Have the supervisor end the job, if there is one, and hold the lock then.

        Yields whether it is held; it is not where another process has deleted the folder.

        :param timeout_s: seconds to wait for the supervisor.
        :raises EngineUnavailableError: the lock did not become free in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            with self.lock() as lock:
                if lock is not None or not self.is_in_place():
                    yield lock is not None and self.is_in_place()
                    return
            if time.monotonic() > deadline:
                raise EngineUnavailableError(
                    f"job {self.path.name!r} did not end within {timeout_s} s; if it stays so, "
                    f"look for its supervisor with: fuser {self.path / LOCK}"
                )
            self.ask_to_end()
            time.sleep(0.01)

    def ask_to_end(self) -> None:
        """Ask the supervisor to end the job, if there is one. This does not wait for the end."""
        control = self._control()
        if control is None:
            return
        try:
            os.write(control, b".")
        except (BlockingIOError, BrokenPipeError):  # it has been asked often enough, or has ended
            pass
        finally:
            os.close(control)

    def _control(self) -> int | None:
        """The FIFO that only a supervisor of this very job reads; ``None`` if there is none."""
        try:
            return os.open(CONTROL, os.O_WRONLY | os.O_NONBLOCK, dir_fd=self.fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ENXIO:  # it is not listening yet, or has ended
                return None
            raise

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            content = read_record(self.fd, name)
            return None if content is None else structured(content, kind)
        except ValueError as error:
            log.warning("%s cannot be read: %s", self.path / name, error)
            return None
