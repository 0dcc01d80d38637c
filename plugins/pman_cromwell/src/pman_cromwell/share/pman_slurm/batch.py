"""``batch``: runs Cromwell's script as the batch job, and hands SLURM's warnings on.

SLURM sends SIGTERM before it kills a job, SIGTSTP two seconds before it suspends one, and SIGCONT
when that one goes on; but only to the process that it started itself (proctrack/cgroup of 22.05).
The shells of the script must ignore them, or they end or stop, and the reason is not written down;
``run`` must not.
"""

from __future__ import annotations

import os
import signal
import subprocess

_WARNINGS = (signal.SIGTERM, signal.SIGTSTP, signal.SIGCONT)


def batch(script: str) -> int:
    """Run the script; its exit code."""
    for number in _WARNINGS:
        signal.signal(number, _hand_on)
    process = subprocess.Popen(["/bin/bash", script], preexec_fn=_hear_nothing)
    code = process.wait()
    return code if code >= 0 else 128 - code


def _hear_nothing() -> None:
    # What is ignored stays ignored in all that comes after, until somebody listens.
    for number in _WARNINGS:
        signal.signal(number, signal.SIG_IGN)


def _hand_on(number: int, _: object) -> None:
    """To the whole process group, of which this is a part."""
    signal.signal(number, signal.SIG_IGN)
    os.killpg(0, number)
    signal.signal(number, _hand_on)
