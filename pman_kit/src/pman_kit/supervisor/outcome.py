"""How a job ended, in the form in which it is written down."""

from __future__ import annotations

import signal
import time
from typing import Any

Verdict = dict[str, Any]


def verdict(exit_code: int | None, reason: str | None, message: str) -> Verdict:
    """The record of an end; ``reason`` is a word of ``pman_core.contract.info.Reason``."""
    return {"at": time.time(), "exit_code": exit_code, "reason": reason, "message": message}


def by_exit_code(code: int) -> Verdict:
    """The end of a job whose main process ended with ``code``, or by the signal ``-code``."""
    if code == 0:
        return verdict(0, None, "finished")
    if code > 0:
        return verdict(code, "exit-code", f"exited with code {code}")
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "a real-time signal"
    return verdict(128 - code, "killed", f"killed by signal {-code} ({name})")
