"""How a job ended, in the form in which it is written down.

The words are those of :mod:`pman_core.kit.outcome`, which a supervisor does not import.
"""

from __future__ import annotations

import signal
import time
from typing import Any

Outcome = dict[str, Any]


def outcome(exit_code: int | None, reason: str | None, message: str) -> Outcome:
    """The record of an end, now.

    :param reason: a word of ``pman_core.contract.info.Reason``; ``None`` for a success.
    """
    return {"at": time.time(), "exit_code": exit_code, "reason": reason, "message": message}


def cannot_start(why: str, code: int | None = None) -> Outcome:
    """The end of a job whose main process could not be started."""
    return outcome(code, "cannot-start", f"cannot start: {why}")


def over_time_limit(limit_s: int | None) -> Outcome:
    """The end of a job that ran for longer than so many seconds."""
    return outcome(
        137, "time-limit", f"ended: it ran for longer than its time limit of {limit_s} s"
    )


def outcome_of_exit(code: int) -> Outcome:
    """The end of a job whose main process ended with ``code``, or by the signal ``-code``."""
    if code == 0:
        return outcome(0, None, "finished")
    if code > 0:
        return outcome(code, "exit-code", f"exited with code {code}")
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "a real-time signal"
    code = 128 - code
    return outcome(code, "killed", f"killed by signal {code - 128} ({name}, exit code {code})")
