"""The state folder: it is the engine of this backend.

``jobs/`` holds a folder for each job, under the job's native name. ``spare/`` holds folders on
their way in and out, and the file ``spare.lock`` tells whether anybody is at work in there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from pman_core.contract.errors import SettingsError
from pman_kit.job_folder import Folder
from pman_kit.layout import CONTROL, ENVIRONMENT, JOB, LOCK, write_record
from pman_kit.record import Record


class State:
    """The jobs on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._jobs = root / "jobs"
        self._spare = root / "spare"

    def prepare(self) -> None:
        """Make sure at start that the folder is there, and nobody else's.

        :raises SettingsError: it cannot be created, or others have access to it. It is not
            changed then: it might be a folder that is not meant for this.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.root.stat()
            if found.st_uid != os.geteuid():
                raise SettingsError([f"{self.root} belongs to another user; {_OTHER_FOLDER}"])
            if found.st_mode & 0o077:
                mode = stat.S_IMODE(found.st_mode)
                raise SettingsError(
                    [f"{self.root} is open to other users (mode {mode:o}); {_OTHER_FOLDER}"]
                )
            for folder in (self._jobs, self._spare):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise SettingsError([f"PROCESS_STATE_DIR cannot be used: {error}"]) from error

    def folder(self, name: str) -> Folder | None:
        """The folder of that name; ``None`` if there is none."""
        try:
            return Folder(self._jobs / name)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            os.stat(f"{self._jobs}/.")  # is it the whole state folder that cannot be used?
            return None

    def has(self, name: str) -> bool:
        """Whether anything, be it a job or not, has that name."""
        return os.path.lexists(self._jobs / name)

    def names(self) -> list[str]:
        """The names of all folders."""
        return os.listdir(self._jobs)

    @contextlib.contextmanager
    def create(
        self, name: str, record: Record, environment: Mapping[str, str]
    ) -> Iterator[tuple[Path, int] | None]:
        """Put a new job in place, and yield its folder and its lock, which is held.

        The lock is taken before the folder gets its name, so nobody can see the job without
        an owner, unless that owner was killed. Yields ``None`` where the name is taken.
        """
        with self._at_work():
            new = self._spare / uuid.uuid4().hex
            new.mkdir(mode=0o700)
            lock = os.open(new / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                os.mkfifo(new / CONTROL, 0o600)
                with Folder(new) as folder:
                    write_record(folder.fd, ENVIRONMENT, dict(environment))
                    write_record(folder.fd, JOB, attrs.asdict(record))
                in_place = self._rename(new, self._jobs / name)
                if not in_place:
                    shutil.rmtree(new)
                yield (self._jobs / name, lock) if in_place else None
            finally:
                os.close(lock)

    def discard(self, folder: Folder) -> None:
        """Delete a job that has ended; the lock must be held. Its name is free at once."""
        with self._at_work():
            old = self._spare / uuid.uuid4().hex
            folder.path.rename(old)
            shutil.rmtree(old, ignore_errors=True)

    def sweep(self) -> None:
        """Delete what a killed pman left in ``spare``, unless another one is at work there."""
        with self._spare_lock() as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for name in os.listdir(self._spare):
                shutil.rmtree(self._spare / name, ignore_errors=True)

    def try_writing(self) -> None:
        """:raises OSError: the folder cannot be written."""
        with self._at_work():
            trial = self._spare / uuid.uuid4().hex
            trial.mkdir()
            with Folder(trial) as folder:
                write_record(folder.fd, JOB, " " * 4096)
            shutil.rmtree(trial)

    def _rename(self, new: Path, final: Path) -> bool:
        """Give a folder its name, of which only one can be; whether it was free."""
        try:
            new.rename(final)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                return False
            raise
        with Folder(self._jobs) as jobs:
            os.fsync(jobs.fd)
        return True

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._spare_lock() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    @contextlib.contextmanager
    def _spare_lock(self) -> Iterator[int]:
        lock = os.open(self.root / "spare.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield lock
        finally:
            os.close(lock)


_OTHER_FOLDER = (
    "let PROCESS_STATE_DIR name a folder that only pman's user has access to (chmod 700), or "
    "one that does not exist yet"
)
