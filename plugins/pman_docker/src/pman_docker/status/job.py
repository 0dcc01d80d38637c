"""What a job is, by all of its objects, and what has to be done for it: pure.

A job is what its first object says, unless a second one has taken its place: one that has begun or
ended, or one that waits where the first has not begun. One that is abandoned counts for nothing.
docs/explanation/docker-jobs.md draws the states.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import attrs

from pman_core import JobInfo, Reason, Status
from pman_core.kit.job_info import ended, overdue, waiting
from pman_core.kit.outcome import SIGKILLED, Outcome, cancelled, cannot_start
from pman_core.kit.times import parsed_time
from pman_docker.init import may_have_failed, not_run, why_not_run
from pman_docker.labels import KIND, WAITING, is_of_cancellation, job_of
from pman_docker.status.container import container_info, unstarted_since, with_second

Container = Mapping[str, Any]

#: What is read of a job only where it decides something: fields of ``Observation``.
Read = Literal["second", "renamed", "now", "log", "cancelled"]

#: The message of a job that is cancelled, and whose creator may still start its container.
BEING_CANCELLED = "created, and cancelled unless it is started just now"

#: All that Podman 5.4 says of a directory that is missing.
_NAMELESS = cannot_start("no such file or directory").message


@attrs.frozen(kw_only=True)
class Observation:
    """All that is known of a job at one moment, as far as it has been read.

    :param first: its first object.
    :param second: its second object, if that has its name.
    :param renamed: its second object that has another name; it counts before ``second``.
    :param now: the time by the engine's clock.
    :param log: the beginning of the log of a container that has ended.
    :param cancelled: from when on a cancellation counts.
    :param read: what of these has been read, also where there is none.
    :param knows_oom: whether the engine knows of each container that ran out of memory.
    :param grace: the age at which a container that was never started counts as abandoned.
    :param fault: why this process could not bring the job to run.
    :param is_free: whether this process would do that now, and is not at it already.
    """

    first: Container
    second: Container | None = None
    renamed: Container | None = None
    now: datetime | None = None
    log: Collection[tuple[int, bytes]] = ()
    cancelled: datetime | None = None
    read: frozenset[Read] = frozenset()
    knows_oom: bool
    grace: timedelta
    fault: tuple[Reason, str] | None
    is_free: bool

    @functools.cached_property
    def by_first(self) -> JobInfo:
        """The job as its first object says."""
        if not _waits_for_image(self.first):
            return container_info(self.first, knows_oom=self.knows_oom)
        job = job_of(self.first["Config"]["Labels"])
        reason, message = self.fault or (Reason.PULLING, f"pulling image {job.image}")
        return waiting(job, message, reason, created=parsed_time(self.first["Created"]))

    @property
    def replacement(self) -> Container | None:
        """The second object, whatever its name."""
        return self.renamed or self.second


@attrs.frozen(kw_only=True)
class Due:
    """What has to be done for a job.

    :param clear: the abandoned container that has to be removed.
    :param end: the end that has to be recorded.
    :param start: whether it has to be brought to run.
    """

    clear: str | None = None
    end: Outcome | None = None
    start: bool = False


def missing(seen: Observation) -> Read | None:
    """What has to be read next; ``None`` where all that decides is known.

    A job that runs costs no more than its first object.
    """
    return next((read for read in _decisive_reads(seen) if read not in seen.read), None)


def _decisive_reads(seen: Observation) -> Iterator[Read]:
    info = info_of(seen)
    if seen.by_first.status is Status.NOT_STARTED or _came_late(seen):
        yield "second"
    if _is_undone(seen) and seen.is_free:  # a second object would be made
        yield "renamed"
    if info.status is Status.NOT_STARTED:
        yield "now"
    if info.reason is Reason.EXIT_CODE and may_have_failed(_decisive(seen), info.exit_code):
        yield "log"
    if info.exit_code == SIGKILLED and info.finished:
        yield "cancelled"


def work_due(seen: Observation, start_deadline_s: int) -> Due:
    """What has to be done for a job.

    :param start_deadline_s: after how many seconds a job that has not started is ended.
    """
    if not _is_undone(seen):
        return Due()
    end = overdue(info_of(seen), seen.now, start_deadline_s) if seen.now else None
    clear = seen.renamed["Id"] if seen.renamed else None
    return Due(clear=clear, end=end, start=end is None and seen.is_free)


def info_of(seen: Observation) -> JobInfo:
    """The job as it is."""
    info, container = seen.by_first, _decisive(seen)
    if _is_being_cancelled(seen):
        return attrs.evolve(info, message=BEING_CANCELLED)
    if container is not seen.first:
        info = with_second(info, container, knows_oom=seen.knows_oom)
    if info.message == _NAMELESS:
        info = attrs.evolve(info, message=f"{_NAMELESS}; its directories are {_directories(seen)}")
    why = why_not_run(seen.log, info.argv[0]) if seen.log else None
    if why:  # only the init knows, not the engine
        return ended(info, not_run(info.argv[0], why), info.finished)
    killed = info.finished if info.exit_code == SIGKILLED else None
    if killed and seen.cancelled and killed > seen.cancelled:
        return ended(info, cancelled(), killed)
    return info


def _directories(seen: Observation) -> str:
    job = job_of(seen.first["Config"]["Labels"])
    return " and ".join(repr(mount.source.sub_path) for mount in job.mounts)


def _decisive(seen: Observation) -> Container:
    """The object that says what the job is."""
    second = seen.replacement
    if second is None:
        return seen.first
    if with_second(seen.by_first, second).status is not Status.NOT_STARTED:
        return second
    first_waits = seen.by_first.status is Status.NOT_STARTED
    return second if first_waits and not _is_abandoned(seen, second) else seen.first


def _is_undone(seen: Observation) -> bool:
    """Whether a job waits, and nobody will start what there is of it."""
    if info_of(seen).status is not Status.NOT_STARTED or _is_being_cancelled(seen):
        return False
    latest = seen.replacement or seen.first
    return _waits_for_image(latest) or _is_abandoned(seen, latest)


def _is_being_cancelled(seen: Observation) -> bool:
    """Whether a job is cancelled that the process which created its container may still start."""
    second = seen.replacement
    if second is None or not is_of_cancellation(second["Config"]["Labels"]):
        return False
    nobody_starts_it = _waits_for_image(seen.first) or seen.first["State"].get("Error")
    waits = seen.by_first.status is Status.NOT_STARTED
    return waits and not nobody_starts_it and not _is_abandoned(seen, seen.first)


def _waits_for_image(container: Container) -> bool:
    return bool(container["Config"]["Labels"][KIND] == WAITING)


def _is_abandoned(seen: Observation, container: Container) -> bool:
    """Whether a container was never started, and its creator will not start it either."""
    return _is_longer(unstarted_since(container), seen.now, seen.grace)


def _came_late(seen: Observation) -> bool:
    """Whether the first object was started when it may have counted as abandoned."""
    return _is_longer(seen.by_first.created, seen.by_first.started, seen.grace)


def _is_longer(begin: datetime | None, end: datetime | None, limit: timedelta) -> bool:
    return begin is not None and end is not None and end - begin > limit
