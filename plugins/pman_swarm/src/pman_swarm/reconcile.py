"""Finds jobs, records how they ended, and ends those that are due."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Sequence

import attrs

from pman_core import JobInfo, Status
from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.job_labels import is_of_job
from pman_core.kit.names import INSTANCE_LABEL, JID_LABEL, native_name
from pman_docker.client import Engine
from pman_docker.errors import NotFoundError, NotRecordedError
from pman_swarm.client import SwarmClient
from pman_swarm.due_ends import Clock, Decision, DueEnds
from pman_swarm.exit_details import Nodes
from pman_swarm.labels import end_labels
from pman_swarm.payload import ended, recorded
from pman_swarm.settings import SwarmSettings
from pman_swarm.status import (
    Service,
    Task,
    has_recorded_end,
    info_of,
    is_barred,
    is_being_ended,
    is_over,
    replicas,
)

log = logging.getLogger(__name__)

#: How often a job is looked at again because another process has just written on its service.
_ATTEMPTS = 5

Found = tuple[Service, Sequence[Task]]


class Reconciler:
    """Finds the jobs of one pman instance."""

    def __init__(self, swarm: SwarmClient, engine: Engine, settings: SwarmSettings) -> None:
        self._swarm = swarm
        self._engine = engine
        self._settings = settings
        self._nodes = Nodes(swarm, engine)
        self._due_ends = DueEnds(swarm, settings.start_deadline_s)

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
        return self._find(jid, self._due_ends.due)

    def end_cancelled(self, jid: str) -> JobInfo | None:
        """End a job of this pman that has not ended; ``None`` if there is none."""
        return self._find(jid, self._due_ends.cancelled)

    def _find(self, jid: str, decide: Decision) -> JobInfo | None:
        # Asked once: nothing slow may lie between the last look at the tasks and the update.
        now = functools.cache(self._engine.now)
        for _ in range(_ATTEMPTS):
            service = self.service(jid)
            if service is None:
                return None
            with contextlib.suppress(NotFoundError):  # removed just now
                tasks = self._swarm.tasks(service["ID"])
                info = self._settled(service, tasks, now, decide)
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
            with contextlib.suppress(NotFoundError):  # removed just now
                info = self._settled(service, tasks, now, self._due_ends.due)
                if info:
                    return info
            return self.find(service["Spec"]["Labels"][JID_LABEL])
        except NotRecordedError as error:  # one job must not hide the others
            return _undecided(info_of(service, tasks), f"ending; {error}")

    def _is_outdated(self, service: Service, tasks: Sequence[Task]) -> bool:
        """Whether a service has changed since, where its tasks look as if it was ended."""
        if has_recorded_end(service) or not is_being_ended(service, tasks):
            return False
        now = self._swarm.service(service["ID"])
        return now is None or now["Version"] != service["Version"]

    # ----------------------------------------------------------- ends are recorded

    def _settled(
        self, service: Service, tasks: Sequence[Task], now: Clock, decide: Decision
    ) -> JobInfo | None:
        """A job whose end, if it has ended, is recorded; ``None`` if another look is needed.

        :raises NotRecordedError: an end cannot be recorded now, and is not reported before it is.
        """
        if has_recorded_end(service):
            self._end_second_run(service, tasks)
            return info_of(service, tasks)
        if decide(service, tasks, now):
            # The update is refused where the service has changed, but not where tasks have.
            end = decide(service, self._swarm.tasks(service["ID"]), now)
            if end:
                self._swarm.update(service, ended(service["Spec"], end_labels(end)))
            return None
        info = info_of(service, tasks)
        if not info.status.is_final:
            return info
        info = self._nodes.ended_info(service, tasks)
        is_recorded = self._swarm.update(service, recorded(service["Spec"], end_labels(info)))
        return info if is_recorded else None

    def _end_second_run(self, service: Service, tasks: Sequence[Task]) -> None:
        """End a run that somebody began after the job's end; the end stays as it was reported."""
        if is_barred(service["Spec"]["TaskTemplate"]) or not replicas(service):
            return
        if all(map(is_over, tasks)):
            return
        if all(map(is_over, self._swarm.tasks(service["ID"]))):
            return  # a list asks for the tasks first: they were older than the record
        name = service["Spec"]["Name"]
        log.warning("job %s: somebody has it run again; that run is ended", name)
        try:
            self._swarm.update(service, ended(service["Spec"], {}))
        except NotRecordedError as error:
            log.warning("job %s: its second run is not ended yet: %s", name, error)

    def _is_ours(self, service: Service, jid: str) -> bool:
        return is_of_job(service["Spec"]["Labels"], jid, self._settings.instance)


def _undecided(info: JobInfo, message: str) -> JobInfo:
    """A job as it is while its end is not written down: an end never changes again."""
    if info.status.is_final:
        info = attrs.evolve(info, status=Status.STARTED, reason=None, exit_code=None, finished=None)
    return attrs.evolve(info, message=message)
