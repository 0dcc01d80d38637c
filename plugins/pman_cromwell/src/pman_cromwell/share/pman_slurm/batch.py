"""``batch``: runs Cromwell's script as the batch job, and hands SLURM's warning on.

Before it kills a job, SLURM sends SIGTERM, but only to the process that it started itself
(proctrack/cgroup of 22.05). The shells of the script must not hear it, or the job ends with them
and nobody writes down why; ``run`` must.
"""

from __future__ import annotations

import os
import signal
import subprocess


def batch(script: str) -> int:
    """Run the script; its exit code."""
    signal.signal(signal.SIGTERM, _hand_on)
    process = subprocess.Popen(["/bin/bash", script], preexec_fn=_hear_nothing)
    code = process.wait()
    return code if code >= 0 else 128 - code


def _hear_nothing() -> None:
    # What is ignored stays ignored in all that comes after, until somebody listens.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _hand_on(*_: object) -> None:
    """To the whole process group, of which this is a part."""
    _hear_nothing()
    os.killpg(0, signal.SIGTERM)
