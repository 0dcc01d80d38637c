"""Looks jobs up, and has what was left undone gone on with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pman_core import JobInfo, Reason, Status
from pman_core.names import INSTANCE_LABEL, JID_LABEL, native_name
from pman_docker.engine import Engine
from pman_docker.errors import NotThere
from pman_docker.labels import JOB, KIND, OF, WAITING, is_ours, job_of, second_name
from pman_docker.launch import Launcher
from pman_docker.settings import DockerSettings
from pman_docker.state import info_of, moment, waiting_info, with_outcome


class Finder:
    """Finds the jobs of one pman instance."""

    def __init__(self, engine: Engine, launcher: Launcher, settings: DockerSettings) -> None:
        self._engine = engine
        self._launcher = launcher
        self._settings = settings

    def name(self, jid: str) -> str:
        """The name of a job's first object."""
        return native_name(jid, self._settings.instance)

    def find(self, jid: str) -> JobInfo | None:
        """A job of this pman; ``None`` if there is none, whatever else has its name."""
        first = self.first(jid)
        return self._info(self.name(jid), first) if first else None

    def find_named(self, labels: Mapping[str, str]) -> JobInfo | None:
        """The job of a first object that the engine listed."""
        return self.find(labels[JID_LABEL])

    def first(self, jid: str) -> dict[str, Any] | None:
        """The first object of a job."""
        first = self._inspect(self.name(jid))
        if first is None or not is_ours(first["Config"]["Labels"], jid, self._settings.instance):
            return None
        return first

    def is_foreign(self, jid: str) -> bool:
        """Whether something that is not this job has its name."""
        found = self._inspect(self.name(jid))
        return found is not None and not is_ours(
            found["Config"]["Labels"], jid, self._settings.instance
        )

    def summaries(self) -> dict[str, dict[str, Any]]:
        """What the engine lists of each job of this pman, by the names of first objects."""
        found = {}
        for summary in self._engine.labelled(f"{INSTANCE_LABEL}={self._settings.instance}"):
            labels = summary["Labels"]
            if JOB in labels and JID_LABEL in labels:
                found[self.name(labels[JID_LABEL])] = summary
        return found

    def _info(self, name: str, first: Mapping[str, Any]) -> JobInfo:
        labels = first["Config"]["Labels"]
        waits = labels[KIND] == WAITING
        created = moment(first["Created"])
        info = waiting_info(job_of(labels), created) if waits else info_of(first)
        if info.status is not Status.NOT_STARTED:
            return info
        second = self._second(name, first)
        if second:
            info = with_outcome(info, second)
            undone = info.status is Status.NOT_STARTED and self._launcher.is_abandoned(second)
        else:
            # The first object may have got its turn since it was looked at.
            undone = waits or self._launcher.is_abandoned(first)
        return self._go_on(name, first, info) if undone else info

    def _go_on(self, name: str, first: Mapping[str, Any], info: JobInfo) -> JobInfo:
        """Bring the job to run, unless it has waited too long."""
        late_s = self._settings.start_deadline_s
        waited = self._engine.now() - info.created if info.created else timedelta()
        if waited <= timedelta(seconds=late_s):
            self._launcher.go_on(name, first)
            return info
        message = f"not started within {late_s} s: {info.message}"
        job = job_of(first["Config"]["Labels"])
        self._launcher.condemn(name, job, first["Id"], Reason.START_DEADLINE, message)
        second = self._second(name, first)
        return with_outcome(info, second) if second else info

    def _second(self, name: str, first: Mapping[str, Any]) -> dict[str, Any] | None:
        second = self._inspect(second_name(name))
        return second if second and second["Config"]["Labels"].get(OF) == first["Id"] else None

    def _inspect(self, name: str) -> dict[str, Any] | None:
        try:
            return self._engine.inspect(name)
        except NotThere:
            return None
