"""A job as it is written down. Nothing here touches a file."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime

import attrs

from pman_core import Job, Mount, Reason
from pman_kit.layout import MARK


@attrs.frozen(kw_only=True)
class Record:
    """All that is known of a job before it begins, except its environment.

    What the job itself says (jid, argv, labels ...) is as in :class:`pman_core.Job`.

    :param instance: the pman that it belongs to, by the setting ``INSTANCE``.
    :param mark: the value of ``PMAN_PROCESS_JOB`` by which its processes are found.
    :param created: seconds since the epoch, as is every time in records.
    :param memory_mib: the address space that each of its processes may have, in MiB.
    :param time_limit_s: seconds that it may run.
    :param directories: what must exist: for each, its role, and its path.
    :param cwd: where the job starts: its output directory, unless the job names another.
    :param log_max_bytes: where its log grows longer, the older half is dropped.
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
    """When the job began."""

    at: float


@attrs.frozen(kw_only=True)
class Ended:
    """How the job ended.

    :param exit_code: of the main process; ``None`` where it has none.
    :param reason: ``None`` if it succeeded.
    """

    at: float
    exit_code: int | None
    reason: Reason | None
    message: str


def record_of(job: Job, instance: str, created: datetime, log_max_bytes: int) -> Record:
    """What is written down of a new job, with a mark of its own.

    :raises UnsupportedError: a mount is not a directory of this machine.
    """
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


def _role(mount: Mount) -> str:
    return "input directory" if mount.read_only else "output directory"
