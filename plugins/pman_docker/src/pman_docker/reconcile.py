"""Looks at a job: gathers what decides, has ``status.job`` decide, and does what is due."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import attrs

from pman_core import JobInfo
from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.job_info import ended
from pman_core.kit.outcome import Outcome
from pman_core.kit.paging import UnsettledError
from pman_docker.background_start import BackgroundStarter
from pman_docker.errors import NotRecordedError, RefusedError
from pman_docker.init import log_size
from pman_docker.job_objects import Container, Summary
from pman_docker.parts import Parts
from pman_docker.status.job import Observation, Read, info_of, missing, work_due


class Reconciler:
    """Finds the jobs of one pman instance."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._starter = BackgroundStarter(parts)

    def find(self, jid: str, listed: Iterable[Summary] | None = None) -> JobInfo | None:
        """A job of this pman; ``None`` if there is none, whatever else has its name.

        :param listed: objects that have been listed anyway, those of the job among them.
        :raises UnsettledError: it cannot be gone on with now.
        """
        first = self._parts.objects.first(jid)
        if first is None:
            return None
        seen = self._gathered(jid, self._begun(first), listed)
        due = work_due(seen, self._parts.settings.start_deadline_s)
        if due.clear:
            self._parts.abandonment.clear(due.clear)
        if due.start:
            try:
                self._starter.go_on(self._parts.objects.name(jid), first)
            except EngineUnavailableError as error:
                raise UnsettledError(info_of(seen), error) from error
        return self._with_end(jid, seen, due.end) if due.end else info_of(seen)

    def _begun(self, first: Container) -> Observation:
        return Observation(
            first=first,
            knows_oom=self._parts.engine.info().knows_oom,
            grace=self._parts.abandonment.grace,
            fault=self._starter.last_fault(first["Id"]),
            is_free=self._starter.is_free(first["Id"]),
        )

    def _gathered(
        self, jid: str, seen: Observation, listed: Iterable[Summary] | None = None
    ) -> Observation:
        """With all that decides what the job is."""
        while read := missing(seen):
            found = {read: self._read(read, jid, seen, listed)}
            seen = attrs.evolve(seen, read=seen.read | {read}, **found)
        return seen

    def _read(
        self, read: Read, jid: str, seen: Observation, listed: Iterable[Summary] | None
    ) -> Any:
        parts, first = self._parts, seen.first["Id"]
        match read:
            case "second":
                return parts.objects.named_second(jid, first)
            case "renamed":
                return parts.objects.renamed_second(jid, first)
            case "now":
                return parts.engine.now()
            case "log":
                info = info_of(seen)
                with contextlib.suppress(RefusedError):  # none is given, or it is removed just now
                    return parts.engine.log_start(info.native, log_size(info.argv[0]))
                return ()
            case "cancelled":
                with contextlib.suppress(NotRecordedError):  # so it did not come to the kill
                    return parts.cancellations.since(jid, first, listed)
                return None

    def _with_end(self, jid: str, seen: Observation, end: Outcome) -> JobInfo:
        """Record the end of a job that waited too long; it is what the engine keeps then."""
        parts, first = self._parts, seen.first["Id"]
        try:
            parts.placeholders.record_end(parts.objects.name(jid), jid, first, end)
        except NotRecordedError as error:  # it waits on
            return attrs.evolve(info_of(seen), message=f"{end.message}; {error}")
        second = parts.objects.named_second(jid, first) or parts.objects.renamed_second(jid, first)
        if second is None:
            # A foreign object has the second's name: this cannot be written down, but stays true.
            return ended(info_of(seen), end, None)
        return info_of(self._gathered(jid, attrs.evolve(seen, second=second, renamed=None)))
