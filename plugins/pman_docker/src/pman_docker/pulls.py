"""Pulls that failed and may succeed later.

Kept in memory only: a process that knows nothing of them tries once more.
"""

from __future__ import annotations

import threading
import time

#: Seconds between two pulls for one job, which is asked for more often than a registry should be.
_PAUSE_S = 10.0


class FailedPulls:
    """The last failed pull of each job that waits for its image.

    :param keep_s: seconds after which a pull is forgotten: no job waits longer than that.
    """

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._last: dict[str, tuple[float, str]] = {}  # by job: when, and the engine's words
        self._lock = threading.Lock()

    def add(self, job: str, words: str) -> None:
        """A pull for this job has just failed, with these words."""
        now = time.monotonic()
        with self._lock:
            self._last[job] = (now, words)
            self._last = {
                key: last for key, last in self._last.items() if now - last[0] <= self._keep_s
            }

    def words(self, job: str) -> str:
        """Why the last pull for a job failed; nothing if none has."""
        return self._last.get(job, (0.0, ""))[1]

    def are_too_many(self, job: str) -> bool:
        """Whether it is too early for another one."""
        last = self._last.get(job)
        return last is not None and time.monotonic() - last[0] < _PAUSE_S
