"""Begins to follow the feed of the backend, where there is use for it."""

from __future__ import annotations

import attrs

from pman_core._internal.clock import Clock
from pman_core._internal.feed_thread import FeedThread
from pman_core._internal.job_table import JobTable
from pman_core._internal.lookup import Lookup
from pman_core._internal.startup import Pman
from pman_core._internal.writes import Writes


def following(pman: Pman, writes: Writes | None) -> Pman:
    """A pman that answers from its job table, if its backend has a feed.

    :param writes: what the processes of this server know of one another; ``None``: nothing, so that
        each question goes to the engine, and the feed is followed for observers alone.
    """
    jobs, settings = pman.jobs, pman.jobs.settings
    declared = jobs.backend.capabilities.freshness_s
    if declared is None:
        return pman
    freshness_s = declared if settings.freshness_s is None else float(settings.freshness_s)
    answers = writes is not None and freshness_s > 0
    if not (answers or jobs.observers.await_ends):
        return pman
    table = JobTable(freshness_s or declared, writes or Writes())
    FeedThread(jobs.backend, jobs.observers, table).start()
    Clock(lambda: table.waiting, jobs.backend.status).start()
    if not answers:
        return pman
    held_s = freshness_s if settings.replicas > 1 else 0.0
    lookup = Lookup(jobs.backend, settings.engine_timeout_s, table, writes, held_s)
    return attrs.evolve(pman, jobs=attrs.evolve(jobs, lookup=lookup))
