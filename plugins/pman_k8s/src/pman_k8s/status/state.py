"""The state of a job as pman reports it."""

from __future__ import annotations

from datetime import datetime

import attrs

from pman_core import Reason, Status
from pman_core.kit.outcome import Outcome
from pman_core.kit.times import not_before


@attrs.frozen(kw_only=True)
class JobState:
    """What changes of a job while it lives.

    :param waits: whether it waits to begin, which it may do until ``START_DEADLINE`` only.
    :param ends_it: whether pman ends the job with this state, rather than the cluster.
    :param pull: the image that it waits for, and why it could not be pulled; see ``labels.PULL``.
    :param pods_to_end: the names of pods that still run although the job has ended.
    """

    status: Status
    message: str
    reason: Reason | None = None
    exit_code: int | None = None
    started: datetime | None = None
    finished: datetime | None = None
    waits: bool = False
    ends_it: bool = False
    pull: str = ""
    pods_to_end: tuple[str, ...] = ()


def ended(
    outcome: Outcome,
    created: datetime | None,
    started: datetime | None,
    finished: datetime | None,
    *,
    ends_it: bool = False,
) -> JobState:
    """The state of a job that has ended.

    :param finished: not before it began, whatever a node's clock says; ``None`` if not known.
    """
    return JobState(
        status=outcome.status,
        message=outcome.message,
        reason=outcome.reason,
        exit_code=outcome.exit_code,
        started=started,
        finished=not_before(started or created, finished) if finished else None,
        ends_it=ends_it,
    )
