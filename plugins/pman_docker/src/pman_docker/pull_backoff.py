"""When to pull again: failed attempts to start a job that may succeed later.

Kept in memory only: a process that knows nothing of them tries once more.
"""

from __future__ import annotations

import threading
import time

import attrs

from pman_core import Reason

#: Seconds between two pulls for one job, which is asked for more often than a registry should be.
_PAUSE_S = 10.0


@attrs.frozen
class _Failed:
    at: float
    reason: Reason
    message: str
    pause: bool


class PullBackoff:
    """The last failed attempt, a pull or a creation, of each waiting job.

    :param keep_s: seconds after which an attempt is forgotten: no job waits longer than that.
    """

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._last: dict[str, _Failed] = {}  # by job
        self._lock = threading.Lock()

    def add(self, job: str, reason: Reason, message: str, *, pause: bool = False) -> None:
        """An attempt for this job has just failed.

        :param pause: whether the next one waits, as a registry would like it.
        """
        now = time.monotonic()
        with self._lock:
            self._last[job] = _Failed(now, reason, message, pause)
            self._last = {
                key: last for key, last in self._last.items() if now - last.at <= self._keep_s
            }

    def last(self, job: str) -> tuple[Reason, str] | None:
        """Why the last attempt for a job failed; ``None`` if none has."""
        last = self._last.get(job)
        return (last.reason, last.message) if last else None

    def are_too_many(self, job: str) -> bool:
        """Whether it is too early for another one."""
        last = self._last.get(job)
        return last is not None and last.pause and time.monotonic() - last.at < _PAUSE_S
