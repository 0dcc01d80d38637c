"""A swarm with one job that tests change between one question of pman and the next."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
from swarm_jobs import JOB, service

from pman_core import JobInfo
from pman_core.kit.settings import load
from pman_docker.errors import NotFoundError
from pman_swarm.cancel import cancel
from pman_swarm.reconcile import Reconciler
from pman_swarm.removal import remove
from pman_swarm.settings import SwarmSettings

#: When the job of ``swarm_jobs`` was created, and when it has waited long enough.
EARLY = datetime(2026, 11, 21, 1, 2, tzinfo=UTC)
LATE = EARLY + timedelta(days=2)

#: What tells a second run of a task from the first.
AGAIN: Any = {"ID": "again", "CreatedAt": "2026-11-21T01:03:00Z"}


class PlayedSwarm:
    """A swarm with one job, in which something happens right before it is asked for something."""

    def __init__(self, *tasks: Any, replicas: int = 1) -> None:
        self.found: Any = service(replicas)
        self.found["Spec"]["Mode"]["Replicated"]["Replicas"] = replicas
        self.all = list(tasks)
        self.time = LATE
        self.before: dict[str, Callable[[], None]] = {}
        #: Whether the containers of this node, which is n1, were out of memory.
        self.out_of_memory = False
        #: What the swarm makes of an update of the service.
        self.after_update: Callable[[], object] = lambda: None
        self.is_gone = False

    def happen(self, call: str) -> None:
        self.before.pop(call, lambda: None)()

    def vanish(self) -> None:
        """Somebody removes the job."""
        self.is_gone = True

    def service(self, _: str) -> Any:
        self.happen("service")
        return None if self.is_gone else copy.deepcopy(self.found)

    def tasks(self, _: str) -> list[Any]:
        self.happen("tasks")
        if self.is_gone:
            raise NotFoundError(404, "service not found")
        return copy.deepcopy(self.all)

    def tasks_labelled(self, _: str) -> list[Any]:
        return [{**found, "ServiceID": self.found["ID"]} for found in self.tasks("")]

    def down(self, _: str) -> None:
        return None

    def node(self) -> Any:
        self.happen("node")
        return attrs.make_class("Node", ["id"])("n1")

    def update(self, seen: Any, spec: Any) -> bool:
        if seen["Version"] != self.found["Version"]:
            return False
        version = {"Index": seen["Version"]["Index"] + 1}
        self.found = {**self.found, "Version": version, "Spec": spec}
        self.after_update()
        return True

    def remove(self, _: str) -> None:
        self.happen("remove")

    # the engine's part

    def inspect(self, _: str) -> Any:
        return {"State": {"OOMKilled": self.out_of_memory}}

    def now(self) -> datetime:
        self.happen("now")
        return self.time

    def reconciler(self) -> Reconciler:
        played: Any = self
        return Reconciler(played, played, load(SwarmSettings, {}))

    def cancel(self) -> JobInfo | None:
        """Cancel the job, and wait as a backend does."""
        played: Any = self
        timeout_s = load(SwarmSettings, {}).engine_timeout_s
        return cancel(played, self.reconciler(), JOB.jid, timeout_s)

    def remove_job(self, found: Any) -> None:
        """Remove the job, and wait as a backend does."""
        played: Any = self
        remove(played, found, load(SwarmSettings, {}).engine_timeout_s)

    def reported(self) -> JobInfo:
        found = self.reconciler().find(JOB.jid)
        assert found
        return found
