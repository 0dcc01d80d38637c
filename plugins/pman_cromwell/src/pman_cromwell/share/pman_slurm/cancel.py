"""``cancel``: Cromwell's kill. It ends the job that runs in a folder, and no other."""

from __future__ import annotations

import sys

from . import slurm


def cancel(job: str, execution: str) -> int:
    """0 where the job is not there or is asked to end; what ``scancel`` says else."""
    try:
        found = slurm.ask(job, execution)
        return slurm.cancel(job) if found and not found.has_ended else 0
    except slurm.NoAnswerError as silent:
        sys.stderr.write(f"SLURM does not answer, so the job is not cancelled: {silent}\n")
        return 1
