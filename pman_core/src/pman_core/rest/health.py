"""Whether pman is alive, and whether it can take jobs now: for those who start and stop it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from pman_core._internal.jobs import Jobs
from pman_core.contract.errors import PmanError

log = logging.getLogger(__name__)

#: Seconds for which an answer holds, however many ask.
_HOLDS_S = 1.0


class Readiness:
    """Asks engine and storage whether jobs can run, at most once a second.

    The settings are right where pman runs at all. While one request asks, others get what was
    known before: an engine that hangs holds one thread.
    """

    def __init__(self, jobs: Jobs, clock: Callable[[], float] = time.monotonic) -> None:
        self._jobs = jobs
        self._clock = clock
        self._asking = threading.Lock()
        self._asked = float("-inf")
        self._fault: str | None = "nobody has asked yet"

    def fault(self) -> str | None:
        """Which part does not answer; ``None`` if all do. It has no word of the engine's own."""
        if self._is_due() and self._asking.acquire(blocking=False):
            try:
                if self._is_due():  # another request may have asked just before
                    self._ask()
            finally:
                self._asking.release()
        return self._fault

    def _ask(self) -> None:
        before, fault, why = self._fault, None, ""
        for part, check in (
            ("engine", self._jobs.backend.ping),
            ("storage", self._jobs.storage.check),
        ):
            try:
                check()
            except PmanError as error:
                fault, why = part, str(error)
                break
        if fault and fault != before:
            log.warning("not ready: %s: %s", fault, why)
        self._fault = fault
        self._asked = self._clock()

    def _is_due(self) -> bool:
        return self._clock() - self._asked >= _HOLDS_S
