"""``epilog``: removes Podman's containers of a job that SLURM has ended.

slurmd runs it on every node after every job, and drains a node, for all its users, where it ends
with anything but 0. So it never does; what went wrong it says on stderr.
"""

from __future__ import annotations

import os
import subprocess
import sys

from .podman import LABEL

_PATIENCE_S = 60.0


def epilog() -> int:
    """Always 0."""
    try:
        job = os.environ.get("SLURM_JOB_ID")
        if not job:
            raise ValueError("SLURM_JOB_ID is unset: this is for Epilog in slurm.conf")
        words = ["ps", "--all", "--quiet", "--filter", f"label={LABEL}={job}"]
        containers = _podman(*words).split()
        if containers:
            _podman("rm", "--force", *containers)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        sys.stderr.write(f"pman: containers of the job may be left: {error}\n")
    return 0


def _podman(*words: str) -> str:
    """What it prints; its own complaints go to stderr."""
    done = subprocess.run(
        ["podman", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=_PATIENCE_S,
        check=True,
    )
    return done.stdout.decode()
