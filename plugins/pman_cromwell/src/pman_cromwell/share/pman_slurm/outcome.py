"""How a run ended; the words for ``reason`` are those of pman's ``Reason``."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from .run_files import CANCELLED, VERDICT, read, write_once

EXIT_CODE = "exit-code"
KILLED = "killed"
OUT_OF_MEMORY = "out-of-memory"
TIME_LIMIT = "time-limit"
IMAGE_NOT_FOUND = "image-not-found"
CANNOT_START = "cannot-start"
LOST = "lost"
START_DEADLINE = "start-deadline"

_NO_PROGRAM = 127


class Verdict(NamedTuple):
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


class CannotStart(Exception):
    """There is no container to wait for."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        code = _NO_PROGRAM if reason == CANNOT_START else None
        self.verdict = Verdict(reason, message, code)


def of_code(code: int) -> Verdict:
    """What a return code of ``subprocess`` means; a signal's is below 0."""
    if code == 0:
        return Verdict(None, "finished", 0)
    if code < 0:
        return Verdict(KILLED, f"killed by signal {-code} ({128 - code})", 128 - code)
    return Verdict(EXIT_CODE, f"exited with code {code}", code)


def out_of_memory(code: int | None) -> Verdict:
    """The kernel ended it at its memory limit."""
    message = f"out of memory: it wanted more than its memory limit (exit code {code})"
    return Verdict(OUT_OF_MEMORY, message, code)


def record(folder: str, verdict: Verdict, name: str = VERDICT) -> Verdict:
    """Write a verdict down; returns the one that stands: the first has the say."""
    content = dict(verdict._asdict(), time=time.time())
    if write_once(folder, name, content):
        return verdict
    return recorded(folder, name) or verdict


def by_pman(folder: str) -> Verdict | None:
    """The end that pman's word asks for, if there is one; without a reason it is a removal."""
    try:
        note: dict[str, Any] | None = read(folder, CANCELLED)
    except OSError:  # it cannot be read now; who waits looks again
        return None
    except ValueError:
        note = {}
    return None if note is None else Verdict(note.get("reason") or KILLED, "ended by pman")


def recorded(folder: str, name: str = VERDICT) -> Verdict | None:
    """The verdict that was written down."""
    content: dict[str, Any] | None = read(folder, name)
    if content is None:
        return None
    return Verdict(content["reason"], content["message"], content["code"])
