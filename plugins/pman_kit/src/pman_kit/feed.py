"""The feed of the jobs of a store: its folder is looked at again and again.

A look costs little while nothing changes: the folder of all jobs has a time that changes with each
job that comes or goes, and only jobs that have not ended are looked at besides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import attrs

from pman_core import JobInfo
from pman_core.contract.feed import News, Removed
from pman_core.kit.feed import in_turns
from pman_kit.errors import engine_errors
from pman_kit.store import JobStore

#: Two changes within one tick of the file system's clock have the same time; ticks are shorter.
_TICK_NS = 1_000_000_000


@attrs.frozen
class _Known:
    """What is known of a folder.

    :param stamp: what tells it from another one that has its name later.
    :param info: the job; ``None`` if it is none of this pman.
    """

    stamp: tuple[int, int]
    info: JobInfo | None

    @property
    def stays(self) -> bool:
        """Whether it stays as it is for as long as its folder does."""
        return self.info is None or self.info.status.is_final


class StoreFeed:
    """The news of the jobs of a store.

    :param look: the job of a name; ``None`` if there is none of this pman. What it raises ends the
        feed: where an end cannot be written down, a job is not what is known of it.
    """

    def __init__(self, store: JobStore, look: Callable[[str], JobInfo | None]) -> None:
        self._store = store
        self._look = look
        self._known: dict[str, _Known] = {}
        self._listed_change: int | None = None

    def news(self, freshness_s: float) -> Iterator[News]:
        """All jobs, and from then on what changes; for ``pman_watch``.

        :raises EngineUnavailableError: the store cannot be used.
        """
        return in_turns(self._changes, freshness_s)

    def _changes(self) -> Iterator[JobInfo | Removed]:
        with engine_errors(self._store.root):
            yield from self._found()

    def _found(self) -> Iterator[JobInfo | Removed]:
        change = self._store.last_change_ns()
        if change == self._listed_change:
            names = [name for name, known in self._known.items() if not known.stays]
        else:
            # What changes within the same tick, after the list was read, has the same time.
            is_over = time.time_ns() - change > _TICK_NS
            names = self._store.names()
            yield from self._gone(set(names))
            self._listed_change = change if is_over else None
        for name in names:
            yield from self._seen(name)

    def _gone(self, names: set[str]) -> Iterator[JobInfo | Removed]:
        for name in self._known.keys() - names:
            yield from self._forgotten(name)

    def _forgotten(self, name: str) -> Iterator[JobInfo | Removed]:
        known = self._known.pop(name, None)
        if known and known.info:
            yield Removed(known.info.jid)

    def _seen(self, name: str) -> Iterator[JobInfo | Removed]:
        try:
            stamp = self._store.stamp(name)
        except FileNotFoundError:
            yield from self._forgotten(name)
            return
        before = self._known.get(name)
        if before and before.stays and before.stamp == stamp:
            return
        info = self._look(name)
        self._known[name] = _Known(stamp, info)
        if info and (before is None or before.info != info):
            yield info
        elif before and before.info and info is None:
            yield Removed(before.info.jid)
