"""The part of the engine's API that is about the swarm; errors and time-outs are the engine's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from pman_core.contract.errors import EngineUnavailableError
from pman_docker import images
from pman_docker.client import Engine
from pman_docker.engine_info import EngineInfo, engine_info_of, must_be
from pman_docker.errors import NameInUseError, NotFoundError, NotRecordedError, RefusedError

#: Older engines would drop the limit of processes and the capabilities of services silently.
_LEAST_API = (1, 41)


@attrs.frozen
class Node:
    """The node that pman talks to, and the swarm that it manages."""

    id: str
    engine_info: EngineInfo


class SwarmClient:
    """A manager of the swarm."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._node: Node | None = None

    def node(self) -> Node:
        """Which node this is; asked once, and again where another engine has taken its place.

        :raises EngineUnavailableError: see ``ask``.
        """
        node = self._node
        return node if node and node.engine_info == self._engine.info() else self.ask()

    def ask(self) -> Node:
        """Which node this is, and whether it manages a swarm now.

        :raises EngineUnavailableError: it cannot run jobs as pman needs it, and what to do.
        """
        version, info = self._engine.about()
        engine_info = must_be(engine_info_of(version, info), "docker", self._engine.address)
        problem = _problem(version, info.get("Swarm") or {})
        if problem:
            raise EngineUnavailableError(f"the engine at {self._engine.address} {problem}")
        self._node = Node(info["Swarm"]["NodeID"], engine_info)
        return self._node

    # --------------------------------------------------------------- services

    def create(self, body: Mapping[str, Any], image: str) -> str:
        """Create a service, with what the image's registry wants to know; the service's id.

        :raises NameInUseError: there is a service of that name.
        :raises RefusedError: it cannot be created, in the engine's words.
        """
        login = images.login(self._engine, image)
        headers = {"X-Registry-Auth": login} if login else None
        try:
            return str(self._engine.post("/services/create", body, headers)["ID"])
        except RefusedError as refused:
            if refused.code == 409:
                raise NameInUseError(refused.code, str(refused)) from refused
            raise

    def service(self, name: str) -> dict[str, Any] | None:
        """The service of that very name: the engine takes parts of ids too."""
        try:
            found: dict[str, Any] = self._asked(f"/services/{name}")
        except NotFoundError:
            return None
        return found if name in (found["Spec"]["Name"], found["ID"]) else None

    def update(self, service: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
        """Give a service another specification, unless it has changed meanwhile; whether it got it.

        :raises NotRecordedError: the manager refuses it now.
        """
        path = f"/services/{service['ID']}/update"
        try:
            self._engine.post(path, spec, version=str(service["Version"]["Index"]))
        except NotFoundError:
            return False
        except RefusedError as refused:
            if "out of sequence" in str(refused):
                return False
            raise NotRecordedError(f"the swarm refuses a note of it: {refused}") from refused
        return True

    def remove(self, service: str) -> None:
        """Remove a service with all its tasks; one that is gone already is no error."""
        try:
            self._engine.delete(f"/services/{service}")
        except NotFoundError:
            return

    def services(self, label: str) -> list[dict[str, Any]]:
        """All services with that label."""
        found: list[dict[str, Any]] = self._asked(
            "/services", filters=json.dumps({"label": [label]})
        )
        return found

    # ------------------------------------------------------------------ tasks

    def tasks(self, service: str) -> list[dict[str, Any]]:
        """All tasks of a service, in no order.

        :raises NotFoundError: there is no such service.
        """
        return self._tasks(service=[service])

    def tasks_labelled(self, label: str) -> list[dict[str, Any]]:
        """All tasks of all services with that label, also of services that are gone."""
        return self._tasks(label=[label])

    def _tasks(self, **wanted: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._asked("/tasks", filters=json.dumps(wanted))
        return found

    def log(self, task: str, tail_lines: int) -> Iterator[bytes]:
        """The log of a task, piece by piece, as far as it has been written."""
        return self._engine.log_of(f"/tasks/{task}/logs", tail_lines)

    # ------------------------------------------------------------------ nodes

    def down(self, node: str) -> str | None:
        """The name of a node that the swarm has lost; ``None`` for one that it has."""
        try:
            found = self._asked(f"/nodes/{node}")
        except NotFoundError:
            return node
        is_down = found["Status"]["State"] == "down"
        return str(found["Description"]["Hostname"]) if is_down else None

    def _asked(self, path: str, **query: str) -> Any:
        """What a path of the API answers.

        :raises EngineUnavailableError: the manager does not know now: it is a manager no more,
            say, or too few of them are left.
        """
        try:
            return self._engine.get(path, **query)
        except NotFoundError:
            raise
        except RefusedError as refused:
            raise EngineUnavailableError(f"the swarm is not able to answer: {refused}") from refused


def _problem(version: Mapping[str, Any], swarm: Mapping[str, Any]) -> str | None:
    """Why an engine cannot run jobs on a swarm, and what to do."""
    api = str(version.get("ApiVersion", "0.0"))
    if tuple(int(part) for part in api.split(".")) < _LEAST_API:
        return f"is too old: it has API {api}; pman needs 1.41, which is Docker 20.10, or newer"
    state, error = swarm.get("LocalNodeState") or "inactive", swarm.get("Error")
    if state == "inactive":
        return "is in no swarm; run docker swarm init there, or set CONTAINER_ENV=docker"
    if state != "active" or error:
        return f"has no swarm that works: its state is {state}" + (f" ({error})" if error else "")
    if not swarm.get("ControlAvailable"):
        return "is a worker of its swarm; set DOCKER_HOST to the address of a manager"
    return None
