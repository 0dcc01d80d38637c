"""Asks once for all who ask the same at the same time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

import attrs

from pman_core.contract.errors import ClientError, EngineUnavailableError
from pman_core.kit.deadline import left

T = TypeVar("T")


@attrs.define(eq=False)
class _Turns(Generic[T]):
    """Those who ask one thing, one after the other.

    :param begun: when it was asked last.
    :param answer: what came then, if anybody who waits may share it.
    """

    lock: threading.Lock = attrs.field(factory=threading.Lock)
    users: int = 0
    begun: float = float("-inf")
    answer: T | ClientError | None = None


class SharedQuestions(Generic[T]):
    """Questions to the engine, of which equal ones are asked once.

    Who comes while a question is being asked does not share its answer, which may be older than
    what he knows already. All who come meanwhile share the next one.

    :param timeout_s: seconds to wait for one's turn; no longer than the request has left.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._turns: dict[Hashable, _Turns[T]] = {}
        self._lock = threading.Lock()

    def ask(self, what: Hashable, call: Callable[[], T]) -> T:
        """The answer to a question, asked now or by somebody else since this was called.

        :param what: is equal where the questions are.
        :raises EngineUnavailableError: it is not one's turn in time.
        """
        arrived = time.monotonic()
        with self._turn(what) as turns:
            if turns.begun < arrived or turns.answer is None:
                turns.begun, turns.answer = time.monotonic(), None
                try:
                    turns.answer = call()
                except ClientError as error:  # no other error is shared: others may have more time
                    turns.answer = error
            if isinstance(turns.answer, ClientError):
                raise turns.answer
            return turns.answer

    @contextlib.contextmanager
    def _turn(self, what: Hashable) -> Iterator[_Turns[T]]:
        with self._lock:
            turns = self._turns.setdefault(what, _Turns())
            turns.users += 1
        try:
            if not self._acquired(turns.lock):
                raise EngineUnavailableError("others ask the engine the same, and it is slow")
            try:
                yield turns
            finally:
                turns.lock.release()
        finally:
            with self._lock:
                turns.users -= 1
                if not turns.users:
                    del self._turns[what]

    def _acquired(self, lock: threading.Lock) -> bool:
        try:
            return lock.acquire(timeout=left(self._timeout_s))
        except TimeoutError:
            return False
