"""``check``: Cromwell's check-alive. It also leaves pman the verdict of a job that SLURM ended."""

from __future__ import annotations

import os
import sys

from . import verdict as ends
from .files import POINTER, WAITING, write
from .slurm import Silent, ask
from .verdict import Verdict, record

_ALIVE, _GONE = 0, 1


def check(job: str, execution: str) -> int:
    """0 while the job may still come to an end of its own, also where nobody can tell.

    Cromwell gives a job up that is gone, and after its own restart asks only once: silence must
    not look like death.
    """
    try:
        found = ask(job)
    except Silent as silence:
        sys.stderr.write(f"SLURM does not answer, so the job counts as alive: {silence}\n")
        return _ALIVE
    folder = _folder(execution)
    if found is not None and not found.has_ended:
        if folder and found.state == "PENDING":
            write(folder, WAITING, {"job": job, "reason": found.reason})
        return _ALIVE
    if folder:
        lost = Verdict(ends.LOST, f"lost: SLURM does not know job {job} any more")
        record(folder, found.verdict() if found else lost)
    return _GONE


def _folder(execution: str) -> str | None:
    """The run's folder, if it is still there."""
    try:
        with open(os.path.join(execution, POINTER), encoding="utf-8") as pointer:
            folder = pointer.read()
    except FileNotFoundError:
        return None
    return folder if os.path.isdir(folder) else None
