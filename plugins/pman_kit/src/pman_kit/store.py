"""The job store: a folder on a local disk that remembers the jobs of an engine.

``jobs/`` holds a folder for each job, under the job's native name. ``spare/`` holds folders on
their way in and out, and the lock of ``spare.lock`` says whether a process is at work in there.
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
from pman_kit.job_folder import JobFolder
from pman_kit.layout import CONTROL, ENVIRONMENT, JOB, LOCK, write_record
from pman_kit.record import Record


class JobStore:
    """The jobs on disk. It keeps nothing in memory, so many processes may use one store at once.

    All methods raise ``OSError`` where the disk does not answer.

    :param root: the folder of the store; not shared between machines.
    :param variable: the environment variable that names it, for messages.
    """

    def __init__(self, root: Path, variable: str) -> None:
        self.root = root
        self._variable = variable
        self._jobs = root / "jobs"
        self._spare = root / "spare"

    def prepare(self) -> None:
        """Create the folder where it does not exist, and check that no other user has access.

        :raises SettingsError: it cannot be created, or others have access to it. It is not
            changed then: it might be a folder that is not meant for this.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.root.stat()
            if found.st_uid != os.geteuid():
                raise self._unfit("belongs to another user")
            if found.st_mode & 0o077:
                mode = stat.S_IMODE(found.st_mode)
                raise self._unfit(f"is open to other users (mode {mode:o})")
            for folder in (self._jobs, self._spare):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise SettingsError([f"{self._variable} cannot be used: {error}"]) from error

    def folder(self, name: str) -> JobFolder | None:
        """The folder of that name, which the caller closes; ``None`` if there is none."""
        try:
            return JobFolder(self._jobs / name)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            os.stat(f"{self._jobs}/.")  # is it the whole store that cannot be used?
            return None

    def is_taken(self, name: str) -> bool:
        """Whether anything has that name, a job or not."""
        return os.path.lexists(self._jobs / name)

    def names(self) -> list[str]:
        """The names of all folders, in no order; some may not be jobs."""
        return os.listdir(self._jobs)

    def last_change_ns(self) -> int:
        """When a folder came or went last, by the clock of the file system, in nanoseconds."""
        return os.stat(self._jobs).st_mtime_ns

    def stamp(self, name: str) -> tuple[int, int]:
        """What tells a folder from another one that has its name later, and from itself as it was
        when it held other files.

        :raises FileNotFoundError: there is none of that name.
        """
        found = os.stat(self._jobs / name, follow_symlinks=False)
        return found.st_ino, found.st_ctime_ns

    @contextlib.contextmanager
    def create(
        self, name: str, record: Record, environment: Mapping[str, str]
    ) -> Iterator[tuple[Path, int] | None]:
        """Put a new job in place, and yield its folder and the descriptor of its lock, held.

        The folder appears whole or not at all, and of many that create a name at once one does.
        The lock is taken before the folder gets its name, so a job with a free lock is a job whose
        creator was killed. Yields ``None`` where the name is taken.

        :param environment: all variables of the job's processes; they may be secret, and are
            deleted once the job has begun.
        """
        if self.is_taken(name):
            yield None  # the rename below would replace an empty folder
            return
        with self._at_work():
            new = self._spare / uuid.uuid4().hex
            new.mkdir(mode=0o700)
            lock = os.open(new / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                os.mkfifo(new / CONTROL, 0o600)
                with JobFolder(new) as folder:
                    write_record(folder.fd, ENVIRONMENT, dict(environment))
                    write_record(folder.fd, JOB, attrs.asdict(record))
                in_place = self._rename(new, self._jobs / name)
                if not in_place:
                    shutil.rmtree(new)
                yield (self._jobs / name, lock) if in_place else None
            finally:
                os.close(lock)

    def discard(self, folder: JobFolder) -> None:
        """Delete a job whose processes have ended; its lock must be held. The name is free."""
        with self._at_work():
            old = self._spare / uuid.uuid4().hex
            folder.path.rename(old)
            shutil.rmtree(old, ignore_errors=True)

    def sweep(self) -> None:
        """Delete what a killed process left in ``spare``, unless another one is at work there."""
        with self._spare_lock() as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for name in os.listdir(self._spare):
                shutil.rmtree(self._spare / name, ignore_errors=True)

    def try_writing(self) -> None:
        """Write a few bytes to the disk.

        :raises OSError: that is impossible now.
        """
        with self._at_work():
            trial = self._spare / uuid.uuid4().hex
            trial.mkdir()
            with JobFolder(trial) as folder:
                write_record(folder.fd, JOB, " " * 4096)
            shutil.rmtree(trial)

    def _rename(self, new: Path, final: Path) -> bool:
        """Give a folder its name, if the name is free; whether it was."""
        try:
            new.rename(final)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                return False
            raise
        with JobFolder(self._jobs) as jobs:
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

    def _unfit(self, why: str) -> SettingsError:
        return SettingsError(
            [
                f"{self.root} {why}; let {self._variable} name a folder that only pman's user has "
                "access to (chmod 700), or one that does not exist yet"
            ]
        )
