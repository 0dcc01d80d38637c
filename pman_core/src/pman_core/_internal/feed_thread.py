"""Follows the feed of the backend, for the job table and for observers of ends."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from pman_core._internal.backend import Backend
from pman_core._internal.background import PAUSE_S, until_done
from pman_core._internal.job_table import JobTable
from pman_core._internal.observers import Observers
from pman_core.contract.errors import EngineUnavailableError
from pman_core.contract.feed import Mark, News
from pman_core.contract.info import JobInfo

#: Seconds without any question after which a feed that nobody else needs rests.
_REST_AFTER_S = 60.0

#: Seconds after which a feed that breaks has been of use.
_HELD_S = 60.0

#: Seconds after which a feed is begun again at the latest.
_LONGEST_PAUSE_S = 60.0


class FeedThread:
    """Takes the news of the backend, one feed after the other.

    :param table: what keeps the news.
    """

    def __init__(self, backend: Backend, observers: Observers, table: JobTable) -> None:
        self._backend = backend
        self._observers = observers
        self._table = table
        self._begun = 0.0
        self._breaks = 0

    def start(self, pause_s: float = PAUSE_S) -> threading.Thread:
        """Begin, in a daemon thread.

        A feed that ends or breaks is begun again after a pause, which becomes longer where feeds
        break soon after their begin: each one begins with all jobs.
        """
        return until_done("pman-feed", self._follow, lambda: self._next_pause_s(pause_s))

    def _follow(self) -> None:
        """Take the news until they end. Returns if the backend has no feed."""
        while True:
            self._begun = time.monotonic()
            news = self._backend.watch(self._table.freshness_s)
            if news is None:
                return
            with contextlib.closing(news):
                self._take(news)
            self._table.wanted.wait()

    def _next_pause_s(self, pause_s: float) -> float:
        """The pause after a feed that broke."""
        held = time.monotonic() - self._begun >= _HELD_S
        self._breaks = 0 if held else self._breaks + 1
        return min((1 + self._breaks) * pause_s, _LONGEST_PAUSE_S)

    def _take(self, feed: Iterator[News]) -> None:
        """Take the news of one feed until nobody needs them.

        :raises EngineUnavailableError: it has ended before.
        """
        self._table.begin()
        asked_last = time.monotonic()
        for news in feed:
            self._table.take(news)
            if isinstance(news, JobInfo):
                self._observers.seen(news)
            if not isinstance(news, Mark):
                continue
            if self._table.wanted.is_set() or self._table.has_unfinished:
                self._table.wanted.clear()
                asked_last = time.monotonic()
            elif not self._observers.await_ends and time.monotonic() - asked_last > _REST_AFTER_S:
                return
        raise EngineUnavailableError("the feed of the engine ended")
