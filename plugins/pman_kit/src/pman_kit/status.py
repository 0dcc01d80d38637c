"""From the records of a job to its state. Nothing here touches a file."""

from __future__ import annotations

from datetime import UTC, datetime

from pman_core import JobInfo, Reason, Status
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
    status, message = Status.NOT_STARTED, waiting
    if began:
        status, message = Status.STARTED, "running"
    if ended:
        status = Status.FAILED if ended.reason else Status.SUCCEEDED
        message = ended.message
    ran = began and not (ended and ended.reason is Reason.CANNOT_START)
    return JobInfo(
        jid=record.jid,
        image=record.image,
        argv=record.argv,
        status=status,
        message=message,
        fingerprint=record.fingerprint,
        exit_code=ended.exit_code if ended else None,
        reason=ended.reason if ended else None,
        created=_moment(record.created),
        started=_moment(began.at) if began and ran else None,
        finished=_moment(ended.at) if ended else None,
        labels=record.labels,
        owner=record.owner,
        native=native,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
