"""The job table: what this process knows of all jobs, from the feed of the backend.

Nothing rests on it: it answers only while the feed proves that it is fresh, and whoever gets no
answer asks the engine.
"""

from __future__ import annotations

import threading
import time

import attrs

from pman_core._internal.writes import Writes
from pman_core.contract.feed import Mark, News, Removed
from pman_core.contract.info import JobInfo, Status

#: Of so many jobs at most is known by itself that the table has something else than the engine.
_MOST_DISPUTED = 10_000


@attrs.frozen
class _State:
    """The jobs, and the moment at which they were that."""

    jobs: dict[str, JobInfo]
    asked: float


class JobTable:
    """The jobs by the news of one feed at a time.

    :param freshness_s: how old an answer may be.
    :param writes: what was changed through pman.
    """

    def __init__(self, freshness_s: float, writes: Writes) -> None:
        self.freshness_s = freshness_s
        self._writes = writes
        self._state = _State({}, float("-inf"))
        self._coming: dict[str, JobInfo] | None = None
        self._disputed: dict[str, float] = {}
        self._not_before = 0.0
        self._lock = threading.Lock()
        #: Set by each question.
        self.wanted = threading.Event()

    def begin(self) -> None:
        """A feed begins: its first news are all the jobs that there are."""
        self._coming = {}

    def take(self, news: News) -> None:
        """Note what the feed reports."""
        jobs = self._state.jobs if self._coming is None else self._coming
        if isinstance(news, Mark):
            self._mark(jobs, news.asked)
        elif isinstance(news, Removed):
            jobs.pop(news.jid, None)
        else:
            jobs[news.jid] = news

    def _mark(self, jobs: dict[str, JobInfo], asked: float) -> None:
        self._state, self._coming = _State(jobs, asked), None
        with self._lock:
            settled = [jid for jid, moment in self._disputed.items() if moment <= asked]
            for jid in settled:
                del self._disputed[jid]

    def get(self, jid: str) -> JobInfo | None:
        """A job that is known for sure; ``None`` if the engine has to be asked.

        A job that waits is asked for: what it waits for is no news, and it may be pman that has to
        do something for it.
        """
        self.wanted.set()
        # First: a mark that comes meanwhile may settle a dispute.
        disputed = self._disputed.get(jid, 0.0)
        changed = max(self._writes.last(jid), disputed, self._not_before)
        state = self._state
        info = state.jobs.get(jid)
        if info is None or info.status is Status.NOT_STARTED:
            return None
        if self._is_old(state):
            return None
        return info if changed <= state.asked else None

    def answered(self, jid: str, info: JobInfo | None) -> None:
        """Note what the engine itself has answered of a job just now; ``None``: there is none.

        Where that is something else than the table has, the table counts again from its next mark
        on: no later answer may be older.
        """
        if self._state.jobs.get(jid) == info:
            return
        with self._lock:
            self._disputed[jid] = time.monotonic()
            if len(self._disputed) > _MOST_DISPUTED:  # while the feed has no marks, say
                self._not_before = time.monotonic()
                self._disputed.clear()

    @property
    def has_unfinished(self) -> bool:
        """Whether any job has not ended; for the thread that takes the news."""
        return any(not info.status.is_final for info in self._state.jobs.values())

    @property
    def waiting(self) -> list[str]:
        """The jobs that wait; none where the last mark is old."""
        state = self._state
        if self._is_old(state):
            return []
        jobs = list(state.jobs.values())  # a copy: the news come in another thread
        return [info.jid for info in jobs if info.status is Status.NOT_STARTED]

    def _is_old(self, state: _State) -> bool:
        return time.monotonic() - state.asked > self.freshness_s
