"""How often somebody may do something."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: Of how many names it remembers when they came last.
_REMEMBERED = 10_000


class Rate:
    """Allows each name so many events a second, and as many at once as come in ``burst_s``.

    It keeps one time for each name: the one up to which its events are paid for (the generic cell
    rate algorithm, ITU-T I.371).
    """

    def __init__(
        self, per_second: float, burst_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.per_second = per_second
        self._burst_s = burst_s
        self._clock = clock
        self._paid_until: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait_s(self, name: str) -> float:
        """Note an event; 0 if it is allowed, else the seconds after which the next one is."""
        now = self._clock()
        with self._lock:
            until = max(now, self._paid_until.get(name, now)) + 1 / self.per_second
            too_early = until - now - self._burst_s
            if too_early > 1e-6:  # sums of a thousand fractions are not exact
                return too_early
            if len(self._paid_until) >= _REMEMBERED:
                self._forget(now)
            self._paid_until[name] = until
        return 0.0

    def _forget(self, now: float) -> None:
        """Drop the names that may do all again; if there are none, the one that may soonest."""
        left = {name: until for name, until in self._paid_until.items() if until > now}
        if len(left) >= _REMEMBERED:
            del left[min(left, key=left.__getitem__)]
        self._paid_until = left
