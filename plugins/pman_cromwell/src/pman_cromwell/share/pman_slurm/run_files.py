"""The files of one run of a job: its folder on the shared storage is how nodes and pman talk.

pman makes the folder, and reads what is written here::

    waiting.json    why SLURM lets the job wait
    begun           the process that holds its lock runs the job
    pulling.json    since when an image is fetched
    trouble.json    why an image or a container cannot be had now; it is tried again
    started.json    when the first container began
    suspended.json  since when SLURM suspends the job; it is gone when the job goes on
    log.N           what worker N wrote
    worker.N.json   how worker N ended, where there are several
    verdict.json    how the job ended

``cancelled`` is written by pman: the run has to end, and for which reason.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

WAITING = "waiting.json"
BEGUN = "begun"
PULLING = "pulling.json"
TROUBLE = "trouble.json"
STARTED = "started.json"
SUSPENDED = "suspended.json"
OUTCOME = "verdict.json"
CANCELLED = "cancelled"

#: In the folder in which Cromwell runs a script: where the run's own folder is.
POINTER = "pman-folder"

_PAUSE_S = 1.0


def log_name(worker: int) -> str:
    """The log of one worker, counted from 0."""
    return f"log.{worker}"


def worker_name(worker: int) -> str:
    """How one of several workers ended."""
    return f"worker.{worker}.json"


def write_once(folder: str, name: str, content: Any) -> bool:
    """Write a file whole, unless it is there already; whether it was written.

    Linking is done by the file server, so the first of several machines wins.
    """
    with _draft(folder, content) as path:
        try:
            os.link(path, os.path.join(folder, name))
        except FileExistsError:
            return False
    return True


def write(folder: str, name: str, content: Any) -> None:
    """Write a file whole, in the place of what was there."""
    with _draft(folder, content) as path:
        os.rename(path, os.path.join(folder, name))


def remove(folder: str, name: str) -> None:
    """Remove a file, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, name))


def read(folder: str, name: str) -> Any:
    """What a file holds; ``None`` if there is none."""
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def jobs_folder(folder: str) -> str:
    """The folder of all pmans' records, in which ``INSTANCE/runs/WORKFLOW`` is that of a run."""
    return os.path.dirname(os.path.dirname(os.path.dirname(folder)))


def open_log(folder: str, worker: int, flags: int) -> int:
    """The log of one worker; never what a link in its place leads to."""
    return os.open(os.path.join(folder, log_name(worker)), flags | os.O_NOFOLLOW, 0o640)


def exists(folder: str, name: str) -> bool:
    """Whether there is such a file."""
    return os.path.exists(os.path.join(folder, name))


def is_gone(folder: str) -> bool:
    """Whether pman has deleted the folder; that cannot be known of storage that does not answer."""
    try:
        os.stat(folder)
    except FileNotFoundError:
        return os.path.isdir(os.path.dirname(folder))
    except OSError:
        pass
    return False


def retry(act: Callable[[], T], is_final: Callable[[OSError], bool], patience_s: float) -> T:
    """Try again each second what storage may refuse for a while (it is full, or restarts).

    :raises OSError: ``is_final`` says so of it, or it has come for longer than ``patience_s``.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return act()
        except OSError as error:
            if is_final(error) or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_S)


@contextlib.contextmanager
def _draft(folder: str, content: Any) -> Iterator[str]:
    """A file beside the one that it becomes, also where that fails."""
    handle, path = tempfile.mkstemp(prefix=".new-", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.chmod(path, 0o640)
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):  # it was renamed
            os.unlink(path)
