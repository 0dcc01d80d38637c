"""The two real engines as subjects of the conformance class."""

import contextlib
import gc
import os
import shutil
import socket
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import docker
import docker.errors
from proxies import Proxy, proxy

from pman_core.contract.info import JobInfo
from pman_core.contract.storage import host_storage
from pman_core.testing import Subject
from pman_core.testing.faulty_registry import faulty_images
from pman_docker.backend import DockerBackend, PodmanBackend

BACKENDS = {"docker": DockerBackend, "podman": PodmanBackend}
DEFAULT_HOSTS = {
    "docker": "unix:///var/run/docker.sock",
    "podman": "unix:///run/podman/podman.sock",
}
HOST_VARIABLES = {"docker": "DOCKER_HOST", "podman": "PMAN_PODMAN_HOST"}

#: An image with Python; ``engines/up`` makes it.
IMAGE = os.environ.get("PMAN_TEST_IMAGE", "localhost/pman-test:1")

#: Podman asks a registry that has had too many requests again for two minutes before it fails.
PATIENCE_S = {"docker": 90, "podman": 200}

#: For tests of an engine that is down: the SDK does not close a socket that cannot connect.
SDK_LEAVES_SOCKETS = "ignore::pytest.PytestUnraisableExceptionWarning"


def forget_sockets() -> None:
    """Collect what the SDK has left open, before pytest does so at its end and complains."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@attrs.frozen
class RealEngine:
    """An engine that tests may use."""

    name: str
    host: str
    api: docker.APIClient

    def environ(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.host, "ENGINE_TIMEOUT": "20"}


def address(name: str) -> str:
    return os.environ.get(HOST_VARIABLES[name]) or DEFAULT_HOSTS[name]


def why_missing(name: str) -> str | None:
    """Why the tests cannot use an engine; ``None`` if they can."""
    try:
        if address(name).startswith("unix://"):
            with socket.socket(socket.AF_UNIX) as probe:  # the SDK would leave one open
                probe.connect(address(name).removeprefix("unix://"))
        with contextlib.closing(docker.APIClient(address(name), version="auto", timeout=10)) as api:
            api.inspect_image(IMAGE)  # type: ignore[no-untyped-call]
    except docker.errors.ImageNotFound:
        return f"{name} has no image {IMAGE}; run engines/up {name}"
    except Exception as error:  # whatever it is, the tests cannot run
        return f"{name} does not answer at {address(name)} ({error}); run engines/up {name}"
    return None


def real_engine(name: str) -> RealEngine:
    return RealEngine(name, address(name), docker.APIClient(address(name), version="auto"))


@contextlib.contextmanager
def subject_of(
    engine: RealEngine, folder: Path, factory: type[DockerBackend] | None = None
) -> Iterator[Subject]:
    """An engine as a subject, behind a proxy that plays the engine that is down.

    :param factory: another backend than that of the engine's name.
    """
    path = f"/tmp/pman-{uuid.uuid4().hex[:8]}.sock"  # a path in ``folder`` may be too long
    with proxy(engine.host.removeprefix("unix://"), path) as between:
        subject = _subject(attrs.evolve(engine, host=f"unix://{path}"), folder, between)
        subject = attrs.evolve(subject, factory=factory or subject.factory)
        try:
            yield subject
        finally:
            forget_storebase(engine, subject.storebase)
            shutil.rmtree(subject.storebase, ignore_errors=True)
            Path(path).unlink(missing_ok=True)
            gc.collect()  # see SDK_LEAVES_SOCKETS


def _subject(engine: RealEngine, folder: Path, between: Proxy) -> Subject:
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

    def restart(info: JobInfo) -> None:
        engine.api.start(info.native)
        engine.api.wait(info.native)

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
        restart_run=restart,
        faulty_image=faulty_images(),
        suspend_run=lambda info: engine.api.pause(info.native),
        unsuspend_run=lambda info: engine.api.unpause(info.native),
        stop_engine=between.cut,
        start_engine=between.up,
        patience_s=PATIENCE_S[engine.name],
    )


def forget_storebase(engine: RealEngine, folder: Path) -> None:
    """Remove the volumes that pman made for what is in a folder; no container has them any more."""
    for volume in engine.api.volumes()["Volumes"] or ():
        device = (volume["Options"] or {}).get("device") or "/"
        if Path(device).is_relative_to(folder):
            engine.api.remove_volume(volume["Name"])


def why_no_parts(engine: RealEngine) -> str | None:
    """Why an engine mounts no parts of volumes; ``None`` if it does."""
    asked = BACKENDS[engine.name](engine.environ())._engine
    info = asked.info()
    asked.api().close()
    if info.mounts_parts:
        return None
    return f"{info.title} mounts no parts of volumes: Docker 26 and Podman 5.4 do"


def exists(engine: RealEngine, name: str) -> bool:
    try:
        engine.api.inspect_container(name)
    except docker.errors.NotFound:
        return False
    return True
