"""A job as it is written down, and as pman tells of it. Nothing here touches a file."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar

import attrs

from pman_core import Job, JobInfo, Mount, Reason, Status
from pman_kit.layout import MARK

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Record:
    """All that is known of a job before it begins, except its environment.

    :param mark: what its processes have in their environment, for telling them from others.
    :param created: seconds since the epoch, as is every time in records.
    :param directories: what must exist: for each, what it is to the job, and its path.
    :param cwd: where the job starts: its output directory, unless the job says where.
    """

    jid: str
    instance: str
    image: str
    argv: tuple[str, ...]
    labels: dict[str, str]
    fingerprint: str
    mark: str
    created: float
    memory_mib: int | None
    time_limit_s: int | None
    directories: tuple[tuple[str, str], ...]
    cwd: str
    log_max_bytes: int
    owner: str | None = None  # as all that is newer: older records do not have it


@attrs.frozen(kw_only=True)
class Began:
    """That the job has begun."""

    at: float


@attrs.frozen(kw_only=True)
class Ended:
    """How the job ended."""

    at: float
    exit_code: int | None
    reason: Reason | None
    message: str


def structured(content: object, kind: type[T]) -> T:
    """What was read from a file, as an object.

    :raises ValueError: it is something else.
    """
    import cattrs  # a tenth of the time in which pman starts, and needed only once jobs are read

    try:
        return cattrs.structure(content, kind)
    except Exception as error:  # cattrs raises groups of whatever the parts raised
        raise ValueError(f"it is no {kind.__name__}") from error


def record_of(job: Job, instance: str, created: datetime, log_max_bytes: int) -> Record:
    """What is written down of a new job."""
    writable = [mount.host_path for mount in job.mounts if not mount.read_only]
    return Record(
        jid=job.jid,
        instance=instance,
        image=job.image,
        argv=job.argv,
        labels=dict(job.labels),
        fingerprint=job.fingerprint,
        mark=secrets.token_hex(16),
        created=created.timestamp(),
        memory_mib=job.resources.memory_mib,
        time_limit_s=job.time_limit_s,
        directories=tuple((_role(mount), mount.host_path) for mount in job.mounts),
        cwd=job.workdir or (writable[0] if writable else "/"),
        log_max_bytes=log_max_bytes,
        owner=job.owner,
    )


def environment_of(job: Job, base: Mapping[str, str], record: Record) -> dict[str, str]:
    """The whole environment of a job's processes."""
    return {**base, **job.env, MARK: record.mark}


def info_of(record: Record, began: Began | None, ended: Ended | None, native: str) -> JobInfo:
    """The job as pman tells of it."""
    status, message = Status.NOT_STARTED, "waiting for its supervisor"
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


def _role(mount: Mount) -> str:
    return "input directory" if mount.read_only else "output directory"
