"""The folder of one job, and the lock in it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pman_core.contract.errors import EngineUnavailableError
from pman_kit.layout import BEGAN, CANCELLED, CONTROL, ENDED, JOB, LOCK, read_record
from pman_kit.record import Began, Ended, Record, structured

T = TypeVar("T")

log = logging.getLogger(__name__)


class Folder:
    """A job's folder that is held open.

    Files are reached through the open directory, so that all of them are of one and the same
    job, whatever happens to its name meanwhile.
    """

    def __init__(self, path: Path) -> None:
        """:raises OSError: there is no such directory."""
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def record(self) -> Record | None:
        """What the job is; ``None`` if this is no folder of a job, or is none any more."""
        return self._read(JOB, Record)

    def began(self) -> Began | None:
        """That the job has begun, if it has."""
        return self._read(BEGAN, Began)

    def ended(self) -> Ended | None:
        """How the job ended, if it has."""
        return self._read(ENDED, Ended)

    def is_cancelled(self) -> bool:
        """Whether somebody has cancelled the job; it may have ended by itself all the same."""
        return os.access(CANCELLED, os.F_OK, dir_fd=self.fd)

    def note_cancellation(self) -> None:
        """Write down that the job is to end; nothing ends it by that. Anybody may, at any time."""
        os.close(os.open(CANCELLED, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=self.fd))
        os.fsync(self.fd)

    def is_in_place(self) -> bool:
        """Whether this is still the folder of that name.

        A folder loses its name before anything in it is deleted, so what has been read before
        this was asked is whole.
        """
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self.fd))

    @contextlib.contextmanager
    def lock(self) -> Iterator[int | None]:
        """Hold the job's lock, if nobody else does, and yield its descriptor; never wait."""
        try:
            lock = os.open(LOCK, os.O_RDWR, dir_fd=self.fd)
        except FileNotFoundError:  # the folder is being deleted
            yield None
            return
        try:
            yield lock if _taken(lock) else None
        finally:
            os.close(lock)

    @contextlib.contextmanager
    def lock_after_end(self, timeout_s: float) -> Iterator[bool]:
        """Have the supervisor end the job, and hold the lock then.

        Yields whether it is held; it is not where somebody else has deleted the folder.

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
        """Have the supervisor end the job, if there is one: it is not waited for.

        Written to is the FIFO that only a supervisor of this very job can have open.
        """
        try:
            control = os.open(CONTROL, os.O_WRONLY | os.O_NONBLOCK, dir_fd=self.fd)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno == errno.ENXIO:  # it is not listening yet, or has ended
                return
            raise
        try:
            os.write(control, b".")
        except (BlockingIOError, BrokenPipeError):  # it has been told often enough, or has ended
            pass
        finally:
            os.close(control)

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            content = read_record(self.fd, name)
            return None if content is None else structured(content, kind)
        except ValueError as error:
            log.warning("%s cannot be read: %s", self.path / name, error)
            return None


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
