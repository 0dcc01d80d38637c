"""``submit``: hands a script to sbatch, and writes down what SLURM says if it refuses.

Cromwell runs this, on its own machine. A refusal becomes the job's outcome: Cromwell itself keeps
only the name of a file. While slurmctld does not answer, or has reached a limit, this waits and
writes down why, since Cromwell would give the job up.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time

from .outcome import cannot_start, record
from .run_files import CANCELLED, POINTER, WAITING, exists, is_gone, write

#: What sbatch says where it may take the job later: the controller is away, or a limit of jobs that
#: are submitted is reached (``AssocMaxSubmitJobLimit`` and the like). It may have taken the job all
#: the same: the lock of a run (``begun``) keeps a second one from running.
_LATER = (
    "unable to contact slurm controller",
    "connection refused",
    "connect failure",
    "socket timed out",
    "zero bytes were transmitted",
    "in standby mode",
    "resource temporarily unavailable",
    "munge",
    "authentication error",
    "try again",
    "submitjob",
)
_PAUSE_S = 5.0
_PATIENCE_S = 3600.0


def submit(folder: str, execution: str, command: list[str]) -> int:
    """Run ``command``; its output, the job's number, is for Cromwell.

    :param folder: the run's folder.
    :param execution: where Cromwell keeps the script; ``check`` finds the folder from there.
    """
    with open(os.path.join(execution, POINTER), "w", encoding="utf-8") as pointer:
        pointer.write(folder)
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        if is_gone(folder) or exists(folder, CANCELLED):
            sys.stderr.write("pman has removed or cancelled this job\n")
            return 1
        late = time.monotonic() > deadline
        if os.path.isdir(folder):
            code, words = _sbatch(command)
            if code == 0:
                with contextlib.suppress(OSError):  # from now on check writes why it waits
                    os.unlink(os.path.join(folder, WAITING))
                return 0
            if late or not any(sign in words.lower() for sign in _LATER):
                record(folder, cannot_start(f"SLURM refused the job: {_short(words)}"))
                return 1
            with contextlib.suppress(OSError):
                write(folder, WAITING, {"job": "", "reason": _short(words)})
        else:
            sys.stderr.write(f"{folder} cannot be seen: is the shared storage mounted here?\n")
            if late:
                return 1
        time.sleep(_PAUSE_S)


def _sbatch(command: list[str]) -> tuple[int, str]:
    """Its exit code, and what it complains of."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    words = done.stderr.decode(errors="replace").strip()
    sys.stderr.write(words + "\n")
    return done.returncode, words


def _short(words: str) -> str:
    lines = [line.partition("error: ")[2] or line for line in words.splitlines()]
    return "; ".join(line for line in lines if line)[:2000]
