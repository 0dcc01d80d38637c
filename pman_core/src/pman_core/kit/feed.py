"""A feed for backends whose engine reports nothing by itself, but lists all jobs at little cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from pman_core.contract.feed import Mark, News, Removed
from pman_core.contract.info import JobInfo


def polled(look: Callable[[], Iterable[JobInfo]], freshness_s: float) -> Iterator[News]:
    """The feed of an engine that is asked again and again; for ``pman_watch``.

    :param look: all jobs as they are now; what it raises ends the feed.
    :param freshness_s: as ``pman_watch`` got it. The engine is asked twice in that time.
    """
    known: dict[str, JobInfo] = {}
    while True:
        asked = time.monotonic()
        found = {info.jid: info for info in look()}
        yield from (info for jid, info in found.items() if known.get(jid) != info)
        yield from (Removed(jid) for jid in known.keys() - found.keys())
        yield Mark(asked)
        known = found
        pause_until(asked + freshness_s / 2)


def pause_until(moment: float) -> None:
    """Sleep until that moment of the monotonic clock."""
    time.sleep(max(0.0, moment - time.monotonic()))
