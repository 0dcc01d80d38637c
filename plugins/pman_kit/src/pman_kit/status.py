"""From the records of a job to its state. Nothing here touches a file."""

from __future__ import annotations

from datetime import UTC, datetime

from pman_core import JobInfo, Status
from pman_core.kit import job_info
from pman_core.kit.outcome import Outcome
from pman_kit.record import Began, Ended, Record

#: The message of a job that has not begun.
WAITING = "waiting for its supervisor"


def info_of(
    record: Record, began: Began | None, ended: Ended | None, native: str, waiting: str = WAITING
) -> JobInfo:
    """The job as a backend reports it.

    :param native: the name of its folder.
    :param waiting: the message if it has not begun.
    """
    info = JobInfo(
        jid=record.jid,
        image=record.image,
        argv=record.argv,
        status=Status.NOT_STARTED,
        message=waiting,
        fingerprint=record.fingerprint,
        created=_moment(record.created),
        labels=record.labels,
        owner=record.owner,
        native=native,
    )
    if began:
        info = job_info.running(info, _moment(began.at))
    if ended:
        outcome = Outcome(ended.message, ended.reason, ended.exit_code)
        info = job_info.ended(info, outcome, _moment(ended.at))
    return info


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
