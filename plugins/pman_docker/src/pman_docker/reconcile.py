"""Finds jobs, and does what is due: a start that was left undone, or an end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from pman_core import JobInfo, Reason, Status
from pman_core.kit.job_info import ended, overdue, waiting
from pman_core.kit.outcome import SIGKILLED, cancelled
from pman_core.kit.times import parsed_time
from pman_docker.background_start import BackgroundStarter
from pman_docker.errors import NotRecordedError, RefusedError
from pman_docker.init import log_size, may_have_failed, not_run, why_not_run
from pman_docker.job_objects import Summary
from pman_docker.labels import KIND, WAITING, is_of_cancellation, job_of
from pman_docker.parts import Parts
from pman_docker.status import (
    info_of,
    with_second,
)

#: The message of a job that is cancelled, and whose creator may still start its container.
_BEING_CANCELLED = "created, and cancelled unless it is started just now"


class Reconciler:
    """Finds the jobs of one pman instance."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._starter = BackgroundStarter(parts)

    def find(self, jid: str, listed: Iterable[Summary] | None = None) -> JobInfo | None:
        """A job of this pman; ``None`` if there is none, whatever else has its name.

        :param listed: objects that have been listed anyway, those of the job among them.
        """
        first = self._parts.objects.first(jid)
        if first is None:
            return None
        return self._or_cancelled(first["Id"], self._info(jid, first), listed)

    def _or_cancelled(self, first: str, info: JobInfo, listed: Iterable[Summary] | None) -> JobInfo:
        """The job, as cancelled if SIGKILL ended it after its cancellation was recorded.

        So more is looked at only for jobs that SIGKILL ended.
        """
        if info.exit_code != SIGKILLED or info.finished is None:
            return info
        try:
            since = self._parts.cancellations.since(info.jid, first, listed)
        except NotRecordedError:  # so it did not come to the kill
            return info
        if since and info.finished > since:
            return ended(info, cancelled(), info.finished)
        return info

    def _info(self, jid: str, first: Mapping[str, Any]) -> JobInfo:
        labels = first["Config"]["Labels"]
        waits = labels[KIND] == WAITING
        created = parsed_time(first["Created"])
        if waits:
            job = job_of(labels)
            fault = self._starter.last_fault(first["Id"])
            reason, message = fault or (Reason.PULLING, f"pulling image {job.image}")
            info = waiting(job, message, reason, created=created)
        else:
            info = self._with_init(info_of(first, knows_oom=self._knows_oom()), first)
        if info.status is not Status.NOT_STARTED:
            return (
                self._instead(jid, first, info) if self._parts.abandonment.came_late(info) else info
            )
        second = self._parts.objects.named_second(jid, first["Id"])
        is_cancelled = second is not None and is_of_cancellation(second["Config"]["Labels"])
        if is_cancelled and not self._parts.abandonment.never_starts(first):
            return attrs.evolve(info, message=_BEING_CANCELLED)
        now = self._outcome(info, second) if second else info
        # The first object may have got its turn since it was looked at.
        undone = now.status is Status.NOT_STARTED and (
            (waits and not second) or self._parts.abandonment.is_abandoned(second or first)
        )
        if not undone:
            return now
        return self._by_renamed(jid, first, info) or self._go_on(jid, first, info)

    def _instead(self, jid: str, first: Mapping[str, Any], info: JobInfo) -> JobInfo:
        """The job of a first object that counted as abandoned, and that somebody started later."""
        second = self._parts.objects.named_second(jid, first["Id"])
        outcome = self._outcome(info, second) if second else info
        return info if outcome.status is Status.NOT_STARTED else outcome

    def _by_renamed(self, jid: str, first: Mapping[str, Any], info: JobInfo) -> JobInfo | None:
        """The job by a second object of another name, looked for only where pman would make one."""
        if not self._starter.is_free(first["Id"]):
            return None
        second = self._parts.objects.renamed_second(jid, first["Id"])
        outcome = self._outcome(info, second) if second else None
        undone = outcome and outcome.status is Status.NOT_STARTED
        if second and undone and self._parts.abandonment.is_abandoned(second):
            self._parts.abandonment.clear(second["Id"])
            return None
        return outcome

    def _go_on(self, jid: str, first: Mapping[str, Any], info: JobInfo) -> JobInfo:
        """Bring the job to run, unless it has waited too long."""
        name = self._parts.objects.name(jid)
        end = overdue(info, self._parts.engine.now(), self._parts.settings.start_deadline_s)
        if end is None:
            self._starter.go_on(name, first)
            return info
        try:
            self._parts.placeholders.record_end(name, jid, first["Id"], end)
        except NotRecordedError as error:  # one job must not hide the others of a list
            return attrs.evolve(info, message=f"{end.message}; {error}")
        second = self._parts.objects.named_second(
            jid, first["Id"]
        ) or self._parts.objects.renamed_second(jid, first["Id"])
        if second:
            return self._outcome(info, second)
        # A foreign object has the second's name: this cannot be written down, but stays true.
        return ended(info, end, None)

    def _outcome(self, first: JobInfo, second: Mapping[str, Any]) -> JobInfo:
        info = with_second(first, second, knows_oom=self._knows_oom())
        return self._with_init(info, second)

    def _knows_oom(self) -> bool:
        return self._parts.engine.info().knows_oom

    def _with_init(self, info: JobInfo, container: Mapping[str, Any]) -> JobInfo:
        """Report a program that could not be run: only the init knows, not the engine."""
        failed = info.reason is Reason.EXIT_CODE and may_have_failed(container, info.exit_code)
        if not failed:
            return info
        program = info.argv[0]
        try:
            log = self._parts.engine.log_start(container["Id"], log_size(program))
        except RefusedError:  # a log that the engine does not give, or that is removed just now
            return info
        why = why_not_run(log, program)
        return ended(info, not_run(program, why), info.finished) if why else info
