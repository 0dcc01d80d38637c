"""The two real engines as subjects of the conformance class."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import docker
import docker.errors

from pman_core.info import JobInfo
from pman_core.storage import host_storage
from pman_core.testing import Subject
from pman_docker.backend import DockerBackend, PodmanBackend

BACKENDS = {"docker": DockerBackend, "podman": PodmanBackend}
DEFAULT_HOSTS = {
    "docker": "unix:///var/run/docker.sock",
    "podman": "unix:///run/podman/podman.sock",
}
HOST_VARIABLES = {"docker": "DOCKER_HOST", "podman": "PMAN_PODMAN_HOST"}

#: An image with Python; ``engines/up`` makes it.
IMAGE = os.environ.get("PMAN_TEST_IMAGE", "localhost/pman-test:1")


@attrs.frozen
class RealEngine:
    """An engine that tests may use."""

    name: str
    host: str
    api: docker.APIClient

    def environ(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.host, "ENGINE_TIMEOUT": "10"}


def address(name: str) -> str:
    return os.environ.get(HOST_VARIABLES[name]) or DEFAULT_HOSTS[name]


def why_missing(name: str) -> str | None:
    """Why the tests cannot use an engine; ``None`` if they can."""
    try:
        api = docker.APIClient(address(name), version="auto", timeout=10)
        api.inspect_image(IMAGE)
    except docker.errors.ImageNotFound:
        return f"{name} has no image {IMAGE}; run engines/up {name}"
    except Exception as error:  # whatever it is, the tests cannot run
        return f"{name} does not answer at {address(name)} ({error}); run engines/up {name}"
    return None


def real_engine(name: str) -> RealEngine:
    return RealEngine(name, address(name), docker.APIClient(address(name), version="auto"))


def subject_of(engine: RealEngine, folder: Path) -> Subject:
    storebase = folder / f"storebase-{uuid.uuid4().hex[:8]}"
    storebase.mkdir()

    @contextlib.contextmanager
    def foreign(name: str) -> Iterator[Callable[[], bool]]:
        engine.api.create_container(IMAGE, ["sleep", "1"], name=name)
        try:
            yield lambda: exists(engine, name)
        finally:
            engine.api.remove_container(name, force=True)

    def limits_swap(info: JobInfo) -> bool:
        host = engine.api.inspect_container(info.native)["HostConfig"]
        return bool(host["Memory"] == host["MemorySwap"] > 0)

    def lose(info: JobInfo) -> None:
        engine.api.kill(info.native)

    return Subject(
        factory=BACKENDS[engine.name],
        environ=engine.environ(),
        image=IMAGE,
        storage=host_storage(str(storebase)),
        storebase=storebase,
        missing_image="localhost:1/no-such-image:1",
        make_foreign=foreign,
        limits_swap=limits_swap,
        lose_run=lose,
        patience_s=90,
    )


def exists(engine: RealEngine, name: str) -> bool:
    try:
        engine.api.inspect_container(name)
    except docker.errors.NotFound:
        return False
    return True


def remove_storebase(subject: Subject) -> None:
    shutil.rmtree(subject.storebase, ignore_errors=True)
