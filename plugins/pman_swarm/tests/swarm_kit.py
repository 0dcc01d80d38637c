"""Makes jobs on the swarm, of an instance of their own, and takes all of it away again."""

import contextlib
import itertools
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import docker.errors
import docker.types
from engine_kit import EngineKit, until
from engine_subjects import RealEngine
from swarm_subjects import GPU, IMAGE, RealSwarm

from pman_core import Job, Resources
from pman_core.kit.names import INSTANCE_LABEL
from pman_swarm.backend import SwarmBackend

#: Labels by which ``engines/up swarm`` tells its nodes apart: the first is the manager.
FIRST, SECOND = "pman.role=first", "pman.role=second"

#: A job that runs until it is told to stop; it obeys nobody.
FOR_EVER = "trap '' TERM; while true; do sleep 0.1; done"


@attrs.frozen
class SwarmKit(EngineKit):
    """One test's pmans and jobs; see ``EngineKit``."""

    swarm: RealSwarm = attrs.field(kw_only=True)

    def pman(self, **environ: str) -> Any:
        made = SwarmBackend({**self.environ, **environ})
        self.pmans.append(made)  # type: ignore[arg-type]  # it is closed as any other
        return made

    def sized(self, job: Job, **changes: Any) -> Job:
        """The job with other resources, and a small memory limit."""
        return attrs.evolve(job, resources=Resources(**{"memory_mib": 64, **changes}))

    # ------------------------------------------------------ what the swarm has

    def service(self, jid: str) -> dict[str, Any]:
        found: dict[str, Any] = self.swarm.manager.inspect_service(self.name(jid))
        return found

    def spec(self, jid: str) -> dict[str, Any]:
        found: dict[str, Any] = self.service(jid)["Spec"]
        return found

    def tasks(self, jid: str) -> list[dict[str, Any]]:
        return self.swarm.tasks(self.service(jid)["ID"])

    def services(self) -> list[dict[str, Any]]:
        wanted = {"label": f"{INSTANCE_LABEL}={self.instance}"}
        found: list[dict[str, Any]] = self.swarm.manager.services(wanted)
        return found

    def objects(self) -> list[str]:
        """The names of all services of this instance."""
        return sorted(service["Spec"]["Name"] for service in self.services())

    def containers(self, *, ended: bool = True) -> list[str]:
        """All containers of this instance, on all nodes, with those that have ended or without."""
        wanted = {"label": f"{INSTANCE_LABEL}={self.instance}"}
        listed = [node.containers(all=ended, filters=wanted) for node in self.swarm.nodes]
        return [str(container["Id"]) for container in itertools.chain(*listed)]

    def update(self, jid: str, **spec: Any) -> None:
        """Change a job's service behind pman's back."""
        service = self.service(jid)
        manager = self.swarm.manager
        url = f"{manager.base_url}/services/{service['ID']}/update"
        query = {"version": service["Version"]["Index"]}
        answer = manager.post(url, params=query, json={**service["Spec"], **spec})
        assert answer.ok, answer.text

    @contextlib.contextmanager
    def foreign(self, name: str) -> Iterator[str]:
        """A service that pman did not create; its id."""
        template = {"ContainerSpec": {"Image": IMAGE, "Command": ["true"]}}
        mode = docker.types.ServiceMode("replicated", 0)
        made = self.swarm.manager.create_service(template, name=name, mode=mode)["ID"]
        try:
            yield made
        finally:
            self.swarm.manager.remove_service(made)

    def clean_up(self) -> None:
        for service in self.services():
            with contextlib.suppress(docker.errors.NotFound):
                self.swarm.manager.remove_service(service["ID"])
        until(self.containers, lambda left: not left)
        super().clean_up()


@contextlib.contextmanager
def kit_on_swarm(swarm: RealSwarm, folder: Path) -> Iterator[SwarmKit]:
    """A harness whose services are removed in the end."""
    engine = RealEngine("swarm", swarm.host, swarm.manager)
    instance = f"test-{uuid.uuid4().hex[:8]}"
    harness = SwarmKit(engine, folder, instance, {"GPU_RESOURCE": GPU}, swarm=swarm)
    try:
        yield harness
    finally:
        harness.clean_up()
