"""``check``: Cromwell's check-alive. It also writes the outcome of a job that SLURM ended."""

from __future__ import annotations

import os
import sys

from . import reasons
from .outcome import by_pman, lost, record
from .run_files import POINTER, WAITING, write
from .slurm import Job, NoAnswerError, ask

#: A Python that cannot run this at all ends with another code, which is no death either.
_ALIVE, _GONE = 0, 3


def check(job: str, execution: str) -> int:
    """3 for a job that is gone; 0 while it may still end by itself, or SLURM does not answer.

    Cromwell gives a job up that is gone, and after its own restart asks only once: silence must
    not look like death.
    """
    try:
        found = ask(job, execution)
    except NoAnswerError as silent:
        sys.stderr.write(f"SLURM does not answer, so the job counts as alive: {silent}\n")
        return _ALIVE
    try:
        _write_down(job, found, execution)
    except OSError as error:
        sys.stderr.write(f"this cannot be written down for pman: {error}\n")
    return _ALIVE if _is_alive(found) else _GONE


def _is_alive(found: Job | None) -> bool:
    return found is not None and not found.has_ended


def _write_down(job: str, found: Job | None, execution: str) -> None:
    folder = _folder(execution)
    if folder is None:
        return
    if found is None:
        record(folder, by_pman(folder) or lost(f"SLURM does not know job {job} any more"))
    elif found.has_ended:
        own = found.outcome()
        asked = by_pman(folder) if own.reason == reasons.KILLED else None
        record(folder, asked or own)
    elif found.state == "PENDING":
        write(folder, WAITING, {"job": job, "reason": found.reason})


def _folder(execution: str) -> str | None:
    """The run's folder, if it is still there."""
    try:
        with open(os.path.join(execution, POINTER), encoding="utf-8") as pointer:
            folder = pointer.read()
    except FileNotFoundError:
        return None
    return folder if os.path.isdir(folder) else None
