"""A swarm that is played, of one node that runs whatever it is given."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import attrs
from engine_standin import Answer, Standin, served

from pman_swarm.backend import SwarmBackend


class SwarmStandin(Standin):
    """It keeps services, and a task of each; see ``Standin`` for how it fails."""

    def __init__(self) -> None:
        super().__init__()
        self.services: dict[str, Any] = {}
        self.node = "n1"
        self.tasks: list[dict[str, Any]] = []
        #: The state of the tasks of services that come.
        self.begins_as = "running"

    def reply(self, method: str, path: str, asked: dict[str, Any]) -> Answer:
        match path.split("/")[1:]:
            case ["info"]:
                node = {"LocalNodeState": "active", "ControlAvailable": True, "NodeID": self.node}
                return 200, {"SystemTime": self.now, "Swarm": node}
            case ["services", "create"]:
                return self._serve(asked)
            case ["services"]:
                return 200, list(self.services.values())
            case ["services", name, *what]:
                return self._service(method, name, what, asked)
            case ["tasks"]:
                of = json.loads(asked["filters"]).get("service")  # else of any
                return 200, [task for task in self.tasks if not of or task["ServiceID"] in of]
        return super().reply(method, path, asked)

    def _serve(self, spec: dict[str, Any]) -> Answer:
        key = f"s-{spec['Name']}"
        times = {"CreatedAt": self.now, "UpdatedAt": self.now}
        self.services[key] = {"ID": key, "Spec": spec, "Version": {"Index": 1}, **times}
        self.tasks.append(
            {
                "ID": f"t-{key}",
                "ServiceID": key,
                "NodeID": "n1",
                "Slot": 1,
                "Spec": spec["TaskTemplate"],
                "CreatedAt": self.now,
                "DesiredState": "running",
                "Status": {"State": self.begins_as, "Timestamp": self.now},
            }
        )
        return 201, {"ID": key}

    def _service(self, method: str, name: str, what: list[str], spec: dict[str, Any]) -> Answer:
        key = name if name in self.services else f"s-{name}"
        if key not in self.services:
            return 404, {"message": f"service {name} not found"}
        if what == ["update"]:
            self.services[key]["Spec"] = spec
        if method == "DELETE":
            del self.services[key]
        return 200, self.services.get(key)

    def end_tasks(self) -> None:
        """The nodes tell that all tasks have ended."""
        self.tasks.clear()


@attrs.define
class SwarmPlay:
    """A played swarm, and a pman that talks to it."""

    swarm: SwarmStandin
    pman: SwarmBackend


@contextlib.contextmanager
def play_swarm(**environ: str) -> Iterator[SwarmPlay]:
    """pman on a swarm that is played."""
    swarm = SwarmStandin()
    with served(swarm.answer, swarm.title) as address:
        settings = {"DOCKER_HOST": address, "ENGINE_TIMEOUT": "60", **environ}
        yield SwarmPlay(swarm, SwarmBackend(settings))
