"""Takes a job that a scheduler starts: of many supervisors of one job, one runs it."""

from __future__ import annotations

import os
import signal
import time

from pman_kit.layout import BEGAN, CANCELLED, ENDED, LOCK, take_lock


def claim(path: str) -> int | None:
    """Take the lock of the job in this folder, and return the folder's descriptor.

    ``None`` if there is nothing to run: the job has begun, has ended, is cancelled, or was
    removed. A pman that looks at the job holds the lock for a moment; this waits for it.
    """
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        while _is_due(folder):
            lock = os.open(LOCK, os.O_RDWR, dir_fd=folder)
            if take_lock(lock):
                in_place = os.path.samestat(os.stat(path), os.fstat(folder))
                return folder if in_place and _is_due(folder) else None
            os.close(lock)
            time.sleep(0.01)
    except (FileNotFoundError, NotADirectoryError):
        pass  # the job was removed
    return None


def leave_surroundings() -> None:
    """Drop what the scheduler left to this process: open files, directory, blocked signals."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir("/")
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _is_due(folder: int) -> bool:
    """Whether the job has not begun, and is to."""
    return not any(os.access(name, os.F_OK, dir_fd=folder) for name in (BEGAN, ENDED, CANCELLED))
