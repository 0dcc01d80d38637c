"""Looks at the jobs that wait, so that what is due for them happens although nobody asks.

A look at a job ends it when ``START_DEADLINE`` is over, and goes on with what a killed process has
left undone. Which jobs wait is known from the feed, so there is no clock where there is none.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable

from pman_core.contract.errors import PmanError
from pman_core.contract.info import JobInfo

#: Seconds between two looks at one job: as often as clients ask.
_LOOK_AGAIN_S = 5.0

#: So many jobs are looked at in one turn, however many wait.
_AT_ONCE = 5

#: Seconds between two turns.
_TURN_S = 1.0


class Clock:
    """Looks at jobs in turns, those first that were not looked at for the longest time.

    :param waiting: the jobs that wait.
    :param look: looks at a job.
    """

    def __init__(
        self, waiting: Callable[[], Iterable[str]], look: Callable[[str], JobInfo]
    ) -> None:
        self._waiting = waiting
        self._look = look
        self._looked: dict[str, float] = {}

    def start(self) -> None:
        """Begin, in a daemon thread."""
        threading.Thread(target=self._run, name="pman-clock", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(_TURN_S)
            self.turn()

    def turn(self) -> None:
        """Look at the jobs whose turn it is."""
        now = time.monotonic()
        waiting = set(self._waiting())
        self._looked = {jid: self._looked.get(jid, now) for jid in waiting}
        due = [jid for jid, looked in self._looked.items() if now - looked >= _LOOK_AGAIN_S]
        for jid in sorted(due, key=self._looked.__getitem__)[:_AT_ONCE]:
            self._looked[jid] = time.monotonic()
            with contextlib.suppress(PmanError):  # it is logged, or removed, or the engine is away
                self._look(jid)
