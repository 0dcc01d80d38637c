"""The files of one run of a job: its folder on the shared storage is how nodes and pman talk.

pman makes the folder, and reads what is written here::

    waiting.json    why SLURM lets the job wait
    begun           whoever holds its lock runs the job
    pulling.json    since when an image is fetched
    started.json    when the first container began
    log.N           what worker N wrote
    worker.N.json   how worker N ended, where there are several
    verdict.json    how the job ended

``cancelled`` is pman's, and tells the run to end.
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

WAITING = "waiting.json"
BEGUN = "begun"
PULLING = "pulling.json"
STARTED = "started.json"
VERDICT = "verdict.json"
CANCELLED = "cancelled"

#: In the folder in which Cromwell runs a script: where the run's own folder is.
POINTER = "pman-folder"


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
    path = _written(folder, content)
    try:
        os.link(path, os.path.join(folder, name))
    except FileExistsError:
        return False
    finally:
        os.unlink(path)
    return True


def write(folder: str, name: str, content: Any) -> None:
    """Write a file whole, in the place of what was there."""
    os.rename(_written(folder, content), os.path.join(folder, name))


def read(folder: str, name: str) -> Any:
    """What a file holds; ``None`` if there is none."""
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def exists(folder: str, name: str) -> bool:
    """Whether there is such a file."""
    return os.path.exists(os.path.join(folder, name))


def is_gone(folder: str) -> bool:
    """Whether pman has deleted the folder; storage that does not answer tells nothing."""
    try:
        os.stat(folder)
    except FileNotFoundError:
        return os.path.isdir(os.path.dirname(folder))
    except OSError:
        pass
    return False


def _written(folder: str, content: Any) -> str:
    handle, path = tempfile.mkstemp(prefix=".new-", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.chmod(path, 0o640)
    return path
