"""Looks jobs up, and has what was left undone gone on with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import attrs

from pman_core import JobInfo, Reason, Status
from pman_core.names import INSTANCE_LABEL, JID_LABEL, native_name
from pman_docker.engine import Engine
from pman_docker.errors import NotThere, NotWritten, Refused
from pman_docker.init import log_size, may_have_failed, why_not_run
from pman_docker.labels import KIND, OF, WAITING, is_ours, job_of, second_name
from pman_docker.launch import Launcher
from pman_docker.settings import DockerSettings
from pman_docker.state import info_of, moment, not_run, waiting_info, with_outcome


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

    def second(self, jid: str, first: Mapping[str, Any]) -> dict[str, Any] | None:
        """The second object of a job, if it has one."""
        return self._second(self.name(jid), first)

    def rest(self, jid: str) -> dict[str, Any] | None:
        """The second object of a job whose first is gone; it may run on."""
        second = self._inspect(second_name(self.name(jid)))
        labels = (second and second["Config"]["Labels"]) or {}
        if OF not in labels or not is_ours(labels, jid, self._settings.instance):
            return None
        return None if self._inspect(labels[OF]) else second

    def summaries(self) -> dict[str, dict[str, Any]]:
        """What the engine lists of each job of this pman, by the names of first objects."""
        return {name: summary for name, summary in self._ours() if _has_name(summary, name)}

    def orphans(self) -> list[str]:
        """Second objects without a first: who removed the job was killed meanwhile."""
        ours = list(self._ours())
        ids = {summary["Id"] for _, summary in ours}
        return [
            summary["Id"]
            for name, summary in ours
            if _has_name(summary, second_name(name)) and summary["Labels"].get(OF) not in ids
        ]

    def _ours(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What has the labels of a job, and the job's name.

        That alone does not make it pman's: an image made of a job's container has them too.
        """
        for summary in self._engine.labelled(f"{INSTANCE_LABEL}={self._settings.instance}"):
            jid = summary["Labels"].get(JID_LABEL)
            if jid:
                yield self.name(jid), summary

    def _info(self, name: str, first: Mapping[str, Any]) -> JobInfo:
        labels = first["Config"]["Labels"]
        waits = labels[KIND] == WAITING
        created = moment(first["Created"])
        if waits:
            info = waiting_info(job_of(labels), created, self._launcher.last_pull(first["Id"]))
        else:
            info = self._with_init(info_of(first), first)
        if info.status is not Status.NOT_STARTED:
            return info
        second = self._second(name, first)
        now = self._outcome(info, second) if second else info
        # The first object may have got its turn since it was looked at.
        undone = now.status is Status.NOT_STARTED and (
            (waits and not second) or self._launcher.is_abandoned(second or first)
        )
        return self._go_on(name, first, info) if undone else now

    def _go_on(self, name: str, first: Mapping[str, Any], info: JobInfo) -> JobInfo:
        """Bring the job to run, unless it has waited too long."""
        late_s = self._settings.start_deadline_s
        waited = self._engine.now() - info.created if info.created else timedelta()
        if waited <= timedelta(seconds=late_s):
            self._launcher.go_on(name, first)
            return info
        message = f"not started within {late_s} s: {info.message}"
        job = job_of(first["Config"]["Labels"])
        try:
            self._launcher.condemn(name, job, first["Id"], Reason.START_DEADLINE, message)
        except NotWritten as error:  # one job must not hide the others of a list
            return attrs.evolve(info, message=f"{message}; {error}")
        second = self._second(name, first)
        if second:
            return self._outcome(info, second)
        # A foreign object has the second's name: this cannot be written down, but stays true.
        return attrs.evolve(
            info, status=Status.FAILED, reason=Reason.START_DEADLINE, message=message
        )

    def _outcome(self, first: JobInfo, second: Mapping[str, Any]) -> JobInfo:
        return self._with_init(with_outcome(first, second), second)

    def _with_init(self, info: JobInfo, container: Mapping[str, Any]) -> JobInfo:
        """Tell a program that could not be run, which the engine does not know: the init does."""
        failed = info.reason is Reason.EXIT_CODE and may_have_failed(container, info.exit_code)
        if not failed:
            return info
        program = info.argv[0]
        try:
            log = self._engine.log_start(container["Id"], log_size(program))
        except Refused:  # a log that the engine does not give, or that is removed just now
            return info
        why = why_not_run(log, program)
        return not_run(info, why) if why else info

    def _second(self, name: str, first: Mapping[str, Any]) -> dict[str, Any] | None:
        second = self._inspect(second_name(name))
        labels = (second and second["Config"]["Labels"]) or {}
        return second if labels.get(OF) == first["Id"] else None

    def _inspect(self, name: str) -> dict[str, Any] | None:
        try:
            return self._engine.inspect(name)
        except NotThere:
            return None


def _has_name(summary: Mapping[str, Any], name: str) -> bool:
    return f"/{name}" in (summary.get("Names") or ())
