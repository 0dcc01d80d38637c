"""``submit``: hands a script to sbatch, and writes down what SLURM says if it refuses.

Cromwell runs this, on its own machine. A refusal becomes the job's verdict: Cromwell itself keeps
only the name of a file. While slurmctld is silent this waits, since Cromwell would give the job up.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from . import verdict as ends
from .files import CANCELLED, POINTER, exists
from .verdict import Verdict, record

#: What sbatch says where the controller may answer later. It may have taken the job all the same:
#: the lock of a run (``begun``) keeps a second one from running.
_SILENCE = (
    "unable to contact slurm controller",
    "connection refused",
    "connect failure",
    "socket timed out",
    "zero bytes were transmitted",
    "slurmctld is in standby",
    "resource temporarily unavailable",
)
_PAUSE_S = 5.0
_PATIENCE_S = 3600.0


def submit(folder: str, execution: str, blind: bool, command: list[str]) -> int:
    """Run ``command``; its output, the job's number, is for Cromwell.

    :param folder: the run's folder.
    :param execution: where Cromwell keeps the script; ``check`` finds the folder from there.
    :param blind: pman cannot make the folder, so this does.
    """
    if blind:
        os.makedirs(folder, mode=0o770, exist_ok=True)
    with open(os.path.join(execution, POINTER), "w", encoding="utf-8") as pointer:
        pointer.write(folder)
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        if not os.path.isdir(folder) or exists(folder, CANCELLED):
            sys.stderr.write("pman has removed this job, or its storage is not mounted here\n")
            return 1
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        words = done.stderr.decode(errors="replace").strip()
        sys.stderr.write(words + "\n")
        silent = any(sign in words.lower() for sign in _SILENCE)
        if done.returncode == 0:
            return 0
        if not silent or time.monotonic() > deadline:
            record(folder, Verdict(ends.CANNOT_START, f"SLURM refused the job: {_short(words)}"))
            return 1
        time.sleep(_PAUSE_S)


def _short(words: str) -> str:
    lines = [line.partition("error: ")[2] or line for line in words.splitlines()]
    return "; ".join(line for line in lines if line)[:2000]
