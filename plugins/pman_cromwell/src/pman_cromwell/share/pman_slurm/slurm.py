"""Asks SLURM about a job (squeue, sacct and scancel of SLURM 22.05).

Three answers are kept apart: how the job is, that SLURM does not know it, and silence, which says
nothing about the job.
"""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

from . import reasons
from .outcome import Outcome, lost, out_of_memory

#: A state from which a job does not come back.
_ENDS = {
    "BOOT_FAIL": lost("its node failed to boot"),
    "CANCELLED": Outcome(reasons.KILLED, "cancelled in SLURM"),
    "COMPLETED": lost("SLURM says that it completed, and it reported no end"),
    "DEADLINE": Outcome(reasons.TIME_LIMIT, "ended by SLURM at its deadline"),
    "FAILED": Outcome(reasons.KILLED, "killed: SLURM says that it failed, and it reported no end"),
    "NODE_FAIL": lost("its node failed"),
    "OUT_OF_MEMORY": out_of_memory(),
    "PREEMPTED": Outcome(reasons.KILLED, "killed: SLURM gave its place to another job"),
    "REVOKED": lost("SLURM revoked it"),
    "TIMEOUT": Outcome(reasons.TIME_LIMIT, "ended by SLURM at its time limit"),
}

#: What the commands print where it is not the job that they cannot find.
_UNKNOWN = "invalid job id"
_NO_ACCOUNTING = "accounting storage is disabled"


class NoAnswerError(Exception):
    """SLURM does not answer."""


class Job(NamedTuple):
    """A job as SLURM has it: ``PENDING``, ``RUNNING``, ``TIMEOUT`` ..., and why."""

    state: str
    reason: str

    @property
    def has_ended(self) -> bool:
        """Whether it will not run any more."""
        return self.state in _ENDS

    def outcome(self) -> Outcome:
        """The end of a job that reported none itself."""
        outcome = _ENDS[self.state]
        detail = "" if self.reason in ("", "None") else f" ({self.reason})"
        return outcome._replace(message=outcome.message + detail)


def ask(job: str, execution: str | None = None) -> Job | None:
    """The job of that number; ``None`` if SLURM does not know it, or any more.

    A slurmctld that crashed may have forgotten its last jobs, and gives their numbers again.

    :param execution: the folder of Cromwell's that it was submitted with; ``None`` for a job that
        asks about itself, whose number is its own for as long as it runs.
    :raises Silent: SLURM does not answer.
    """
    code, out, err = _run(
        "squeue", "--noheader", "--states=all", "--jobs", job, "--format=%T|%r|%Z"
    )
    if code == 0 and out:
        state, reason, folder = out.splitlines()[0].split("|", 2)
        return Job(state, reason) if _is_same(folder, execution) else None
    if code and _UNKNOWN not in err.lower():
        raise NoAnswerError(err)
    return _from_accounting(job, execution)


def cancel(job: str) -> int:
    """The exit code of ``scancel``.

    :raises Silent: SLURM does not answer.
    """
    return _run("scancel", job)[0]


def _from_accounting(job: str, execution: str | None) -> Job | None:
    """What the accounting database still knows after slurmctld forgot (``MinJobAge``)."""
    words = ("--noheader", "--parsable2", "--allocations", "--format=State,WorkDir")
    code, out, err = _run("sacct", *words, "--jobs", job)
    if code == 0 and out:
        states, _, folder = out.splitlines()[0].partition("|")
        state, _, rest = states.partition(" ")
        return Job(state, rest) if _is_same(folder, execution) else None  # "CANCELLED by 1000"
    if code and _NO_ACCOUNTING not in err.lower():
        raise NoAnswerError(err)
    return None


def _is_same(folder: str, execution: str | None) -> bool:
    """Whether two paths lead to the folder of one workflow: ``WORKFLOW/call-job/execution``.

    What comes before may differ: links, and how each machine mounts the storage.
    """
    return execution is None or folder.split("/")[-3:] == os.path.abspath(execution).split("/")[-3:]


def _run(*command: str) -> tuple[int, str, str]:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NoAnswerError(f"{command[0]} did not answer") from error
    except OSError as error:
        raise NoAnswerError(f"{command[0]} cannot be run: {error.strerror}") from error
    return (
        done.returncode,
        done.stdout.decode(errors="replace").strip(),
        done.stderr.decode(errors="replace").strip(),
    )
