"""Cancels a job.

The cancellation of a running job is recorded (``cancellation_record.py``), and then the job is
killed. A waiting job gets a placeholder of its end as its second object. After that no process
starts the job.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pman_core import JobInfo, Status
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_core.kit.outcome import cancelled
from pman_docker.labels import ENDED, KIND, second_name
from pman_docker.parts import Parts
from pman_docker.reconcile import Reconciler
from pman_docker.status.container import status_of

_PAUSE_S = 0.05


class Canceller:
    """Cancels the jobs of one pman instance."""

    def __init__(self, parts: Parts, reconciler: Reconciler) -> None:
        self._parts = parts
        self._objects = parts.objects
        self._reconciler = reconciler

    def cancel(self, jid: str) -> JobInfo:
        """End a job, and return it once it has ended.

        :raises UnknownJobError: there is no such job.
        :raises EngineUnavailableError: it has not ended in time; repeating this goes on.
        """
        deadline = time.monotonic() + self._parts.settings.engine_timeout_s
        while True:
            first = self._objects.first(jid)
            if first is None:
                raise UnknownJobError(jid)
            self._end(jid, first)
            info = self._reconciler.find(jid)
            if info and info.status.is_final:
                return info
            if time.monotonic() > deadline:
                within = f"{self._parts.settings.engine_timeout_s} s"
                raise EngineUnavailableError(
                    f"job {jid!r} has not ended within {within}; cancel it again"
                )
            time.sleep(_PAUSE_S)

    def _end(self, jid: str, first: Mapping[str, Any]) -> None:
        """Do what there is to do now."""
        second = self._objects.named_second(jid, first["Id"])
        begun = _status(first) is not Status.NOT_STARTED
        if not second and not begun:
            second = self._objects.renamed_second(jid, first["Id"])
        running = [one["Id"] for one in (first, second) if one and _status(one) is Status.STARTED]
        if running:
            self._parts.cancellations.record(jid, first["Id"])
            for container in running:
                self._parts.engine.kill(container)
        elif not begun:
            self._keep_from_starting(jid, first, second)

    def _keep_from_starting(
        self, jid: str, first: Mapping[str, Any], second: Mapping[str, Any] | None
    ) -> None:
        """Record that a waiting job is cancelled; a second object that waits is removed.

        The process that made the first object may be about to start it; then the object is killed
        later. Otherwise it counts as abandoned after some time.
        """
        name = self._objects.name(jid)
        if second:
            is_end = second["Config"]["Labels"][KIND] == ENDED
            if is_end or _status(second) is not Status.NOT_STARTED:
                return
            self._parts.abandonment.clear(second["Id"])
        self._parts.placeholders.record_end(name, jid, first["Id"], cancelled())
        self._objects.check_name(second_name(name))


def _status(container: Mapping[str, Any]) -> Status:
    return status_of(container["State"])
