"""Looks jobs up, notes how they ended, and ends those that wait too long or are lost."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import attrs

from pman_core import JobInfo, Reason, Status
from pman_core.errors import EngineUnavailableError
from pman_core.names import INSTANCE_LABEL, JID_LABEL, native_name
from pman_docker.engine import Engine
from pman_docker.errors import NotThere, NotWritten
from pman_docker.labels import is_ours
from pman_swarm.evidence import Nodes
from pman_swarm.labels import end_labels
from pman_swarm.payload import ended, noted
from pman_swarm.settings import SwarmSettings
from pman_swarm.state import (
    Service,
    Task,
    attempts,
    ended_info,
    has_noted_end,
    info_of,
    is_being_ended,
    is_given_up,
    is_over,
    is_waiting,
    replicas,
)
from pman_swarm.swarm import Swarm

log = logging.getLogger(__name__)

#: How often a job is looked at again because another process has just written on its service.
_ATTEMPTS = 5

#: Seconds that a removal waits for containers to end. A node that is down never tells.
_END_WITHIN_S = 10.0

Found = tuple[Service, Sequence[Task]]

#: Tells the time by the engine's clock.
Clock = Callable[[], datetime]


class Finder:
    """Finds the jobs of one pman instance."""

    def __init__(self, swarm: Swarm, engine: Engine, settings: SwarmSettings) -> None:
        self._swarm = swarm
        self._engine = engine
        self._settings = settings
        self._nodes = Nodes(swarm, engine)

    def name(self, jid: str) -> str:
        """The name of a job's service."""
        return native_name(jid, self._settings.instance)

    def service(self, jid: str) -> Service | None:
        """The service of a job of this pman; ``None``, whatever else has its name."""
        found = self._swarm.service(self.name(jid))
        return found if found and self._is_ours(found, jid) else None

    def is_foreign(self, jid: str) -> bool:
        """Whether something that is not this job has its name."""
        found = self._swarm.service(self.name(jid))
        return found is not None and not self._is_ours(found, jid)

    def find(self, jid: str) -> JobInfo | None:
        """A job of this pman; ``None`` if there is none."""
        # Asked once: nothing slow may lie between the last look at the tasks and the update.
        now = functools.cache(self._engine.now)
        for _ in range(_ATTEMPTS):
            service = self.service(jid)
            if service is None:
                return None
            with contextlib.suppress(NotThere):  # removed just now
                tasks = self._swarm.tasks(service["ID"])
                info = self._settled(service, tasks, now)
                if info and not self._is_outdated(service, tasks):
                    return info
        raise EngineUnavailableError(f"the service of job {jid!r} changes again and again")

    def all(self) -> dict[str, Found]:
        """The service and the tasks of each job of this pman, by names: two calls in all."""
        label = f"{INSTANCE_LABEL}={self._settings.instance}"
        tasks: dict[str, list[Task]] = {}
        for task in self._swarm.tasks_labelled(label):
            tasks.setdefault(task["ServiceID"], []).append(task)
        found: dict[str, Found] = {}
        for service in self._swarm.services(label):
            jid = service["Spec"]["Labels"].get(JID_LABEL, "")
            if service["Spec"]["Name"] == self.name(jid):
                found[service["Spec"]["Name"]] = (service, tasks.get(service["ID"], []))
        return found

    def look(self, found: Found, now: Clock) -> JobInfo | None:
        """The job of a service that was listed."""
        service, tasks = found
        try:
            with contextlib.suppress(NotThere):  # removed just now
                info = self._settled(service, tasks, now)
                if info:
                    return info
            return self.find(service["Spec"]["Labels"][JID_LABEL])
        except NotWritten as error:  # one job must not hide the others
            return _undecided(info_of(service, tasks), f"ending; {error}")

    def remove(self, service: Service) -> None:
        """Remove a service, and wait until its containers have ended, but not for ever."""
        self._swarm.remove(service["ID"])
        deadline = time.monotonic() + min(_END_WITHIN_S, self._settings.engine_timeout_s)
        while self._left(service):
            if time.monotonic() > deadline:
                log.warning("job %s: a node has not told that it ended", service["Spec"]["Name"])
                return
            time.sleep(0.05)

    def _left(self, service: Service) -> bool:
        """Whether there still are tasks of a service that is gone; its id finds none any more."""
        label = f"{JID_LABEL}={service['Spec']['Labels'][JID_LABEL]}"
        try:
            tasks = self._swarm.tasks_labelled(label)
        except EngineUnavailableError:
            return True  # the removal has begun, so nobody could ask for the rest of it again
        return any(task["ServiceID"] == service["ID"] for task in tasks)

    def _is_outdated(self, service: Service, tasks: Sequence[Task]) -> bool:
        """Whether a service has changed since, where its tasks look as if it was ended."""
        if has_noted_end(service) or not is_being_ended(service, tasks):
            return False
        now = self._swarm.service(service["ID"])
        return now is None or now["Version"] != service["Version"]

    # ----------------------------------------------------------- ends are noted

    def _settled(self, service: Service, tasks: Sequence[Task], now: Clock) -> JobInfo | None:
        """A job whose end, if it has ended, is noted; ``None`` if somebody has to look again.

        :raises NotWritten: an end cannot be noted now, and is not told before it is.
        """
        if has_noted_end(service):
            self._end_second_run(service, tasks)
            return info_of(service, tasks)
        if self._verdict(service, tasks, now):
            # The update is refused where the service has changed, but not where tasks have.
            verdict = self._verdict(service, self._swarm.tasks(service["ID"]), now)
            if verdict:
                self._swarm.update(service, ended(service["Spec"], end_labels(verdict)))
            return None
        info = info_of(service, tasks)
        if not info.status.is_final:
            return info
        info = self._nodes.ended_info(service, tasks)
        is_noted = self._swarm.update(service, noted(service["Spec"], end_labels(info)))
        return info if is_noted else None

    def _end_second_run(self, service: Service, tasks: Sequence[Task]) -> None:
        """End what somebody had begun after the job's end, which stays as it was told."""
        if not replicas(service) or all(map(is_over, tasks)):
            return
        if all(map(is_over, self._swarm.tasks(service["ID"]))):
            return  # a list asks for the tasks first: they were older than the note
        name = service["Spec"]["Name"]
        log.warning("job %s: somebody has it run again; that run is ended", name)
        try:
            self._swarm.update(service, ended(service["Spec"], {}))
        except NotWritten as error:
            log.warning("job %s: its second run is not ended yet: %s", name, error)

    def _verdict(self, service: Service, tasks: Sequence[Task], now: Clock) -> JobInfo | None:
        """A job that pman must end, as it is then; ``None`` for most."""
        info = info_of(service, tasks)
        lost = self._lost(service, tasks)
        if lost:
            return ended_info(info, Reason.LOST, f"lost: {lost}", now())
        workers = attempts(tasks)
        if info.created and (len(workers) < replicas(service) or any(map(is_waiting, workers))):
            late_s = self._settings.start_deadline_s
            if now() - info.created > timedelta(seconds=late_s):
                message = f"not started within {late_s} s: {info.message}"
                return ended_info(info, Reason.START_DEADLINE, message, now())
        return None

    def _lost(self, service: Service, tasks: Sequence[Task]) -> str | None:
        """Why a job is lost though the swarm may go on with it."""
        if not replicas(service):
            return "somebody scaled its service to nothing"
        if len(tasks) > len(attempts(tasks)):
            return "the swarm began a second run of it, which has been ended"
        for task in tasks:
            if is_given_up(task) and "NodeID" in task:
                node = self._swarm.down(task["NodeID"])
                if node:
                    return f"its node {node} is down"
        return None

    def _is_ours(self, service: Service, jid: str) -> bool:
        return is_ours(service["Spec"]["Labels"], jid, self._settings.instance)


def _undecided(info: JobInfo, message: str) -> JobInfo:
    """A job as it is while its end is not written down: an end never changes again."""
    if info.status.is_final:
        info = attrs.evolve(info, status=Status.STARTED, reason=None, exit_code=None, finished=None)
    return attrs.evolve(info, message=message)
