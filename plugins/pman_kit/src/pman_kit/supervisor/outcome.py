"""How a job ended, in the form in which it is written down."""

from __future__ import annotations

import signal
import time
from typing import Any

Outcome = dict[str, Any]


def outcome(exit_code: int | None, reason: str | None, message: str) -> Outcome:
    """The record of an end; ``reason`` is a word of ``pman_core.contract.info.Reason``."""
    return {"at": time.time(), "exit_code": exit_code, "reason": reason, "message": message}


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
    return outcome(128 - code, "killed", f"killed by signal {-code} ({name})")
