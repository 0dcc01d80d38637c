"""Where the client library writes the certificates and keys that are inside of a kubeconfig.

TLS reads them from files. The library removes these when the process ends, but not when it is
killed. So each process has a folder for them, and removes the folders of dead processes when it
starts.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import os
import shutil
import stat
import tempfile
from pathlib import Path

_PREFIX = "pman-kubeconfig-"


@functools.cache
def folder() -> str:
    """The folder of this process, which no other user can read; it is removed at exit."""
    remove_those_of_dead_processes()
    while True:
        made = tempfile.mkdtemp(prefix=_PREFIX)
        # Held until the process ends, however it ends.
        lock = _locked(made)
        if lock is not None and os.path.isdir(made):  # no other process has removed it
            atexit.register(shutil.rmtree, made, ignore_errors=True)
            return made


def remove_those_of_dead_processes() -> None:
    """Remove the folders of this user whose processes have ended."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            found = path.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                continue
            lock = _locked(str(path))
            if lock is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock)


def _locked(path: str) -> int | None:
    """A lock on a folder; ``None`` where another process has it."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(folder)
        return None
    return folder
