"""How a run ended; the words for ``reason`` are those of pman's ``Reason``."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from . import reasons
from .run_files import CANCELLED, OUTCOME, read, write_once

_NO_PROGRAM = 127


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
    """There is no container to wait for."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        code = _NO_PROGRAM if reason == reasons.CANNOT_START else None
        self.outcome = Outcome(reason, message, code)


def exited(code: int) -> Outcome:
    """What a return code of ``subprocess`` means; a signal's is below 0."""
    if code == 0:
        return Outcome(None, "finished", 0)
    if code < 0:
        return Outcome(reasons.KILLED, f"killed by signal {-code} ({128 - code})", 128 - code)
    return Outcome(reasons.EXIT_CODE, f"exited with code {code}", code)


def out_of_memory(code: int | None) -> Outcome:
    """The kernel ended it at its memory limit."""
    message = f"out of memory: it wanted more than its memory limit (exit code {code})"
    return Outcome(reasons.OUT_OF_MEMORY, message, code)


def record(folder: str, outcome: Outcome, name: str = OUTCOME) -> Outcome:
    """Write a verdict down; returns the one that stands: the first has the say."""
    content = dict(outcome._asdict(), time=time.time())
    if write_once(folder, name, content):
        return outcome
    return recorded(folder, name) or outcome


def by_pman(folder: str) -> Outcome | None:
    """The end that pman's word asks for, if there is one; without a reason it is a removal."""
    try:
        note: dict[str, Any] | None = read(folder, CANCELLED)
    except OSError:  # it cannot be read now; who waits looks again
        return None
    except ValueError:
        note = {}
    return None if note is None else Outcome(note.get("reason") or reasons.KILLED, "ended by pman")


def recorded(folder: str, name: str = OUTCOME) -> Outcome | None:
    """The verdict that was written down."""
    content: dict[str, Any] | None = read(folder, name)
    if content is None:
        return None
    return Outcome(content["reason"], content["message"], content["code"])
