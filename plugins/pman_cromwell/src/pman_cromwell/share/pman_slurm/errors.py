"""What goes wrong on a node that is not as it should be, as a verdict that names what to mend."""

from __future__ import annotations

import platform
import subprocess

from . import outcome as ends
from .outcome import CannotStart, Verdict

#: What any call of a program or of storage may raise.
FAULTS = (OSError, subprocess.SubprocessError)


def verdict_of(fault: Exception, *, started: bool) -> Verdict:
    """The end of a job whose node could not do its part."""
    where = f"node {platform.node()}"
    if started:
        return Verdict(ends.LOST, f"lost: {where} could not watch the job: {words_of(fault)}")
    message = f"{where} cannot run the job: {words_of(fault)}"
    return CannotStart(ends.CANNOT_START, message).verdict


def words_of(fault: Exception) -> str:
    """Only a program or a path is named: other words of a command may be secret."""
    if isinstance(fault, subprocess.TimeoutExpired):
        return f"{fault.cmd[0]} did not answer within {fault.timeout:g} s"
    if isinstance(fault, OSError):
        return ": ".join(str(part) for part in (fault.filename, fault.strerror) if part)
    return type(fault).__name__
