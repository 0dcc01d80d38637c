"""What a backend reports of a job, made from the job itself and from how it ended."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from pman_core.contract.info import JobInfo, Reason, Status
from pman_core.contract.job import Job
from pman_core.kit.outcome import Outcome, not_started_in_time
from pman_core.kit.times import not_before

#: The process of such a job never ran, so it has no time of start.
_NEVER_RAN = frozenset((Reason.CANNOT_START, Reason.IMAGE_NOT_FOUND, Reason.START_DEADLINE))


def waiting(
    job: Job,
    message: str,
    reason: Reason | None = None,
    *,
    created: datetime | None = None,
    native: str = "",
) -> JobInfo:
    """A job that has not begun.

    :param message: what it waits for.
    :param reason: the same as a word.
    :param created: when the engine got it.
    :param native: its name or id in the engine.
    """
    return JobInfo(
        jid=job.jid,
        image=job.image,
        argv=job.argv,
        status=Status.NOT_STARTED,
        message=message,
        reason=reason,
        fingerprint=job.fingerprint,
        created=created,
        labels=job.labels,
        owner=job.owner,
        native=native,
    )


def running(info: JobInfo, started: datetime | None = None, message: str = "running") -> JobInfo:
    """The same job, which has begun.

    :param started: when; not before it was created, whatever a node's clock says.
    """
    return attrs.evolve(
        info,
        status=Status.STARTED,
        message=message,
        reason=None,
        started=not_before(info.created, started) if started else None,
    )


def ended(info: JobInfo, outcome: Outcome, finished: datetime | None) -> JobInfo:
    """The same job, which has ended.

    :param finished: when; not before it began, whatever a node's clock says.
    """
    started = None if outcome.reason in _NEVER_RAN else info.started
    return attrs.evolve(
        info,
        status=outcome.status,
        message=outcome.message,
        reason=outcome.reason,
        exit_code=outcome.exit_code,
        started=started,
        finished=not_before(started or info.created, finished) if finished else None,
    )


def overdue(info: JobInfo, now: datetime, deadline_s: int) -> Outcome | None:
    """How a job ends that has waited for longer than ``START_DEADLINE``; ``None`` if it has not.

    :param now: by the clock that ``info.created`` is of.
    :param deadline_s: the seconds of ``START_DEADLINE``.
    """
    if info.status is not Status.NOT_STARTED or info.created is None:
        return None
    if now - info.created <= timedelta(seconds=deadline_s):
        return None
    return not_started_in_time(deadline_s, info.message)
