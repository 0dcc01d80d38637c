"""How a run ended: its reason, its message and its exit code, and the file that keeps them."""

from __future__ import annotations

import signal
import time
from typing import Any, NamedTuple

from . import reasons
from .run_files import CANCELLED, OUTCOME, read, write_once

#: The exit codes of a program that is not there, and of a process that SIGKILL ended.
_NO_PROGRAM, SIGKILLED = 127, 128 + signal.SIGKILL


class Outcome(NamedTuple):
    """The end of a run, or of one of its workers.

    ``reason`` is ``None`` for success, ``code`` where no process ended with one.
    """

    reason: str | None
    message: str
    code: int | None = None

    @property
    def is_success(self) -> bool:
        """Whether the main process ended with 0."""
        return self.reason is None


class CannotStartError(Exception):
    """There is no container to wait for.

    :param why: what is wrong, for a person.
    """

    def __init__(self, why: str, reason: str = reasons.CANNOT_START) -> None:
        super().__init__(why)
        is_plain = reason == reasons.CANNOT_START
        self.outcome = cannot_start(why, _NO_PROGRAM) if is_plain else Outcome(reason, why)


# The messages of these are those of pman_core.kit.outcome; a test compares them.


def exited(code: int, *, probably_memory: bool = False) -> Outcome:
    """The main process ended with this return code of ``subprocess``; a signal's is below 0.

    :param probably_memory: whether it is unknown if memory was the cause of a SIGKILL.
    """
    if code == 0:
        return Outcome(None, "finished", 0)
    if code < 0:
        return signalled(-code)
    if code == SIGKILLED:
        killed = signalled(signal.SIGKILL)
        suspicion = ", probably out of memory" if probably_memory else ""
        return killed._replace(message=killed.message + suspicion)
    return Outcome(reasons.EXIT_CODE, f"exited with code {code}", code)


def signalled(number: int) -> Outcome:
    """A signal ended the main process."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "a real-time signal"
    code = 128 + number
    message = f"killed by signal {number} ({name}, exit code {code})"
    return Outcome(reasons.KILLED, message, code)


def out_of_memory(code: int | None = SIGKILLED) -> Outcome:
    """The kernel ended it at its memory limit."""
    detail = "" if code is None else f" (exit code {code})"
    message = f"out of memory: it wanted more than its memory limit{detail}"
    return Outcome(reasons.OUT_OF_MEMORY, message, code)


def over_time_limit(limit_s: int) -> Outcome:
    """It ran for longer than so many seconds."""
    message = f"ended: it ran for longer than its time limit of {limit_s} s"
    return Outcome(reasons.TIME_LIMIT, message, SIGKILLED)


def cannot_start(why: str, code: int | None = None) -> Outcome:
    """Its process could not be started."""
    return Outcome(reasons.CANNOT_START, f"cannot start: {why}", code)


def not_started_in_time(deadline_s: int, waited_for: str) -> Outcome:
    """It did not start within pman's ``START_DEADLINE``."""
    return Outcome(reasons.START_DEADLINE, f"not started within {deadline_s} s: {waited_for}")


def lost(why: str) -> Outcome:
    """It is not known how it ended, and it does not run."""
    return Outcome(reasons.LOST, f"lost: {why}")


def record(folder: str, outcome: Outcome, name: str = OUTCOME) -> Outcome:
    """Write an outcome down, unless there is one; returns the one that stays."""
    content = dict(outcome._asdict(), time=time.time())
    if write_once(folder, name, content):
        return outcome
    return recorded(folder, name) or outcome


def by_pman(folder: str) -> Outcome | None:
    """The outcome that pman asks for, if it does; without a reason it is a removal."""
    try:
        content: dict[str, Any] | None = read(folder, CANCELLED)
    except OSError:  # it cannot be read now; the caller looks again
        return None
    except ValueError:
        content = {}
    if content is None:
        return None
    return Outcome(content.get("reason") or reasons.KILLED, "ended by pman")


def recorded(folder: str, name: str = OUTCOME) -> Outcome | None:
    """The outcome that was written down."""
    content: dict[str, Any] | None = read(folder, name)
    if content is None:
        return None
    return Outcome(content["reason"], content["message"], content["code"])
