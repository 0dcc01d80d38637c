"""The real swarm as a subject of the conformance class."""

import contextlib
import gc
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import docker
import docker.errors
from engine_kit import until
from proxies import Proxy, proxy
from swarm_networks import MANAGER, faulty_image

from pman_core import Job
from pman_core.contract.info import JobInfo
from pman_core.contract.storage import host_storage
from pman_core.testing import Subject
from pman_swarm.backend import SwarmBackend
from pman_swarm.status import is_over

#: An image with Python; ``engines/up`` makes it.
IMAGE = os.environ.get("PMAN_TEST_IMAGE", "localhost/pman-test:1")

#: The generic resource that the nodes of ``engines/up swarm`` have.
GPU = "pman-gpu"


@attrs.frozen
class RealSwarm:
    """A swarm that tests may use: the engines of its nodes, a manager first."""

    hosts: tuple[str, ...]
    nodes: tuple[Any, ...]  # the SDK's clients have few types

    @property
    def host(self) -> str:
        return self.hosts[0]

    @property
    def manager(self) -> Any:
        return self.nodes[0]

    def environ(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.host, "ENGINE_TIMEOUT": "10", "GPU_RESOURCE": GPU}

    def tasks(self, service: str) -> list[dict[str, Any]]:
        """The tasks of a service."""
        found: list[dict[str, Any]] = self.manager.tasks({"service": service})
        return found

    def containers(self, service: str) -> Iterator[tuple[Any, dict[str, Any]]]:
        """The containers of a service, with the node that has each."""
        wanted = {"label": f"com.docker.swarm.service.id={service}"}
        for node in self.nodes:
            for container in node.containers(all=True, filters=wanted):
                with contextlib.suppress(docker.errors.NotFound):
                    yield node, node.inspect_container(container["Id"])


def why_missing() -> str | None:
    """Why the tests cannot use a swarm; ``None`` if they can."""
    host = os.environ.get("PMAN_SWARM_HOST")
    if not host:
        return "PMAN_SWARM_HOST is not set; run engines/up swarm"
    try:
        with contextlib.closing(docker.APIClient(host, version="auto", timeout=10)) as api:
            api.inspect_image(IMAGE)  # type: ignore[no-untyped-call]
            api.inspect_swarm()
    except Exception as error:  # whatever it is, the tests cannot run
        return f"the swarm at {host} cannot be used ({error}); run engines/up swarm"
    return None


@contextlib.contextmanager
def real_swarm() -> Iterator[RealSwarm]:
    found = (os.environ["PMAN_SWARM_HOST"], os.environ.get("PMAN_SWARM_WORKER_HOST"))
    hosts = tuple(host for host in found if host)
    with contextlib.ExitStack() as stack:
        nodes = [
            stack.enter_context(contextlib.closing(docker.APIClient(host, version="auto")))
            for host in hosts
        ]
        yield RealSwarm(hosts, tuple(nodes))


def force_update(manager: Any, service: str) -> None:
    """What ``docker service update --force`` does: it runs everything again."""
    found = manager.inspect_service(service)
    template = found["Spec"]["TaskTemplate"]
    forced = {**template, "ForceUpdate": template.get("ForceUpdate", 0) + 1}
    answer = manager.post(
        f"{manager.base_url}/services/{found['ID']}/update",
        params={"version": found["Version"]["Index"]},
        json={**found["Spec"], "TaskTemplate": forced},
    )
    assert answer.ok, answer.text


@contextlib.contextmanager
def subject_of(swarm: RealSwarm, folder: Path) -> Iterator[Subject]:
    """The swarm as a subject, behind a proxy that plays the manager that is down."""
    path = f"/tmp/pman-{uuid.uuid4().hex[:8]}.sock"  # a path in ``folder`` may be too long
    with proxy(swarm.host.removeprefix("unix://"), path) as between:
        subject = _subject(swarm, f"unix://{path}", folder, between)
        try:
            yield subject
        finally:
            shutil.rmtree(subject.storebase, ignore_errors=True)
            Path(path).unlink(missing_ok=True)
            gc.collect()  # the SDK does not close a socket that cannot connect


def _subject(swarm: RealSwarm, host: str, folder: Path, between: Proxy) -> Subject:
    storebase = folder / f"storebase-{uuid.uuid4().hex[:8]}"
    storebase.mkdir()

    @contextlib.contextmanager
    def foreign(name: str) -> Iterator[Callable[[], bool]]:
        template = {"ContainerSpec": {"Image": IMAGE, "Command": ["true"]}}
        made = swarm.manager.create_service(
            template, name=name, mode=docker.types.ServiceMode("replicated", 0)
        )
        try:
            yield lambda: bool(swarm.manager.services({"id": made["ID"]}))
        finally:
            swarm.manager.remove_service(made["ID"])

    def unplaceable(job: Job) -> Job:
        return attrs.evolve(job, resources=attrs.evolve(job.resources, gpus=1000))

    def lose(info: JobInfo) -> None:
        for node, container in swarm.containers(info.native or ""):
            node.kill(container["Id"])

    def restart(info: JobInfo) -> None:
        force_update(swarm.manager, info.native)
        until(
            lambda: swarm.tasks(info.native),
            lambda tasks: len(tasks) > 1 and all(map(is_over, tasks)),
        )

    def limits_swap(info: JobInfo) -> bool:
        limits = [c["HostConfig"] for _, c in swarm.containers(info.native or "")]
        return all(limit["Memory"] == limit["MemorySwap"] > 0 for limit in limits)

    return Subject(
        factory=SwarmBackend,
        environ={**swarm.environ(), "DOCKER_HOST": host},
        image=IMAGE,
        storage=host_storage(str(storebase)),
        storebase=storebase,
        missing_image="localhost:1/no-such-image:1",
        make_foreign=foreign,
        unplaceable=unplaceable,
        lose_run=lose,
        restart_run=restart,
        faulty_image=faulty_image if MANAGER.exists() else None,
        limits_swap=limits_swap,
        stop_engine=between.cut,
        start_engine=between.up,
        patience_s=90,
    )
