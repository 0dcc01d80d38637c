"""Feeds for backends whose engine reports nothing by itself: it is asked again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from pman_core.contract.feed import Mark, News, Removed
from pman_core.contract.info import JobInfo


def polled(look: Callable[[], Iterable[JobInfo]], freshness_s: float) -> Iterator[News]:
    """The feed of an engine that lists all jobs at little cost; for ``pman_watch``.

    :param look: all jobs as they are now; what it raises ends the feed.
    :param freshness_s: as ``pman_watch`` got it. The engine is asked twice in that time.
    """
    known: dict[str, JobInfo] = {}

    def changes() -> Iterator[JobInfo | Removed]:
        nonlocal known
        before, known = known, {info.jid: info for info in look()}
        yield from (info for jid, info in known.items() if before.get(jid) != info)
        yield from (Removed(jid) for jid in before.keys() - known.keys())

    return in_turns(changes, freshness_s)


def in_turns(
    changes: Callable[[], Iterable[JobInfo | Removed]], freshness_s: float
) -> Iterator[News]:
    """The feed of an engine whose changes cost little to find out.

    :param changes: what has changed since it was called last; at first all jobs. What it raises
        ends the feed.
    :param freshness_s: as above.
    """
    while True:
        asked = time.monotonic()
        yield from changes()
        yield Mark(asked)
        time.sleep(max(0.0, asked + freshness_s / 2 - time.monotonic()))
