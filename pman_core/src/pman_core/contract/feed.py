"""The feed: what a backend reports of its jobs as they change, and how fresh that is.

A feed is what ``pman_watch`` yields, in this order:

1. each job of this pman instance, as it is now;
2. a :class:`Mark`: these were all of them;
3. each job that has changed, or that is new, as it is then; a :class:`Removed` for each that is
   there no more; and marks, at least one in each half of the ``freshness_s`` that is asked for.

Of one job the news come in the order in which the engine had them. A job that is removed and
submitted again may come without a :class:`Removed` in between.
"""

from __future__ import annotations

import attrs

from pman_core.contract.info import JobInfo


@attrs.frozen
class Removed:
    """A job is there no more.

    :param jid: its id.
    """

    jid: str


@attrs.frozen
class Mark:
    """All that the engine had at some moment has been reported.

    :param asked: that moment, by ``time.monotonic()`` of this process, and never a later one: take
        the time before the engine was asked, not that of its answer.
    """

    asked: float


#: What a feed yields.
News = JobInfo | Removed | Mark
