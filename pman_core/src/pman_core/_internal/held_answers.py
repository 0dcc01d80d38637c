"""Answers that are held back, so that other replicas of pman know by then what they say.

Replicas on other machines have no memory in common. Each of them answers from what its engine
reported no longer than FRESHNESS ago. So an answer that says that a job is cancelled or removed
goes out when that time is over. It waits in the server, and holds no thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import attrs


@attrs.define
class HeldAnswer:
    """The answer to one request.

    :param seconds: for how long it is held back.
    """

    seconds: float = 0.0


_answer: ContextVar[HeldAnswer | None] = ContextVar("pman_held_answer", default=None)


@contextlib.contextmanager
def holding() -> Iterator[HeldAnswer]:
    """Around the work for one request: what :func:`hold_back` asked for is known afterwards."""
    held = HeldAnswer()
    token = _answer.set(held)
    try:
        yield held
    finally:
        _answer.reset(token)


def hold_back(seconds: float) -> None:
    """Hold the answer to the present request back, once it is made."""
    held = _answer.get()
    if held:
        held.seconds = max(held.seconds, seconds)
