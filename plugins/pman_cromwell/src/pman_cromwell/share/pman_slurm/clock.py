"""Counts the time in which a job may run."""

from __future__ import annotations

import time


class Clock:
    """Seconds since ``begin``, without those between each ``hold`` and the next ``go``.

    ``hold`` and ``go`` may be called by a handler of signals.
    """

    def __init__(self) -> None:
        self._begun: float | None = None  # it moves on by what does not count
        self._held: float | None = None

    @property
    def is_held(self) -> bool:
        """Whether it stands still."""
        return self._held is not None

    @property
    def held_s(self) -> float:
        """For how long it has stood still now."""
        return 0.0 if self._held is None else time.monotonic() - self._held

    def begin(self) -> None:
        """The job begins now."""
        self._begun = self._now()

    def hold(self) -> None:
        """Stand still."""
        if self._held is None:
            self._held = time.monotonic()

    def go(self) -> None:
        """Count on."""
        if self._begun is not None:
            self._begun += self.held_s
        self._held = None

    def seconds(self) -> float:
        """How long the job has run."""
        return 0.0 if self._begun is None else self._now() - self._begun

    def _now(self) -> float:
        return time.monotonic() if self._held is None else self._held
