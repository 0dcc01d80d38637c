"""Errors of a node that is not set up as it should be, as outcomes that name what to repair."""

from __future__ import annotations

import platform
import subprocess

from .outcome import CannotStartError, Outcome, lost

#: What any call of a program or of storage may raise.
NODE_ERRORS = (OSError, subprocess.SubprocessError)


def outcome_of(error: Exception, *, started: bool) -> Outcome:
    """The end of a job whose node could not do its part."""
    where = f"node {platform.node()}"
    if started:
        return lost(f"{where} could not watch the job: {described(error)}")
    return CannotStartError(f"{where} cannot run the job: {described(error)}").outcome


def described(error: Exception) -> str:
    """Only a program or a path is named: other words of a command may be secret."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"{error.cmd[0]} did not answer within {error.timeout:g} s"
    if isinstance(error, OSError):
        return ": ".join(str(part) for part in (error.filename, error.strerror) if part)
    return type(error).__name__
