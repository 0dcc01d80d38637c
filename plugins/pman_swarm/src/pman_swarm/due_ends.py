"""Ends that are due: of jobs that are lost, that wait too long, or that are cancelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import attrs

from pman_core import JobInfo
from pman_core.kit import outcome
from pman_swarm.client import SwarmClient
from pman_swarm.status import (
    Service,
    Task,
    attempts,
    ended_info,
    info_of,
    is_given_up,
    is_waiting,
    replicas,
)

#: Tells the time by the engine's clock.
Clock = Callable[[], datetime]

#: A job that pman must end, as it is then; ``None`` for one that it must not.
Decision = Callable[[Service, Sequence[Task], Clock], JobInfo | None]


@attrs.frozen
class DueEnds:
    """What pman decides of jobs that have no recorded end."""

    swarm: SwarmClient
    start_deadline_s: int

    def due(self, service: Service, tasks: Sequence[Task], now: Clock) -> JobInfo | None:
        """The end of a job that somebody looks at, if it is due; ``None`` for most."""
        info = info_of(service, tasks)
        return self._lost(info, service, tasks, now) or self._late(info, service, tasks, now)

    def cancelled(self, service: Service, tasks: Sequence[Task], now: Clock) -> JobInfo | None:
        """The end of a job that a client cancels; ``None`` for one that has ended by itself."""
        info = info_of(service, tasks)
        lost = self._lost(info, service, tasks, now)
        if lost or info.status.is_final:
            return lost
        return ended_info(info, outcome.cancelled(), now())

    def _late(
        self, info: JobInfo, service: Service, tasks: Sequence[Task], now: Clock
    ) -> JobInfo | None:
        workers = attempts(tasks)
        if info.created and (len(workers) < replicas(service) or any(map(is_waiting, workers))):
            late_s = self.start_deadline_s
            if now() - info.created > timedelta(seconds=late_s):
                end = outcome.not_started_in_time(late_s, info.message)
                return ended_info(info, end, now())
        return None

    def _lost(
        self, info: JobInfo, service: Service, tasks: Sequence[Task], now: Clock
    ) -> JobInfo | None:
        why = self._why_lost(service, tasks)
        return ended_info(info, outcome.lost(why), now()) if why else None

    def _why_lost(self, service: Service, tasks: Sequence[Task]) -> str | None:
        """Why a job is lost though the swarm may go on with it."""
        if not replicas(service):
            return "somebody scaled its service to nothing"
        if len(tasks) > len(attempts(tasks)):
            return "the swarm began a second run of it, which has been ended"
        for task in tasks:
            if is_given_up(task) and "NodeID" in task:
                node = self.swarm.down(task["NodeID"])
                if node:
                    return f"its node {node} is down"
        return None
