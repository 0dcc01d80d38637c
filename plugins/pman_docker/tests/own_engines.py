"""Engines of a test's own, which it may crash while other tests use those of the machine."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import docker
from engine_subjects import IMAGE, RealEngine, subject_of

from pman_core.testing import Subject

NODE = Path(__file__).parents[3] / "engines" / "swarm-node"

#: With a network of its own: two daemons in one network take each other's rules away.
APART = ("unshare", "--net", "--uts", "--mount", "--propagation", "slave", "--pid", "--mount-proc")


@attrs.define
class OwnEngine:
    """An engine's process, and how to begin it again on the same data."""

    name: str
    socket: Path
    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Returns when it answers."""
        if self.process:
            return
        self.socket.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            words = self.log.read_text(errors="replace")[-2000:]
            assert self.process.poll() is None, words
            assert time.monotonic() < deadline, words
            time.sleep(0.1)

    def crash(self) -> None:
        """End it as ``kill -9`` does, with whatever lives in its namespaces."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):  # it could not start
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        try:
            with contextlib.closing(docker.APIClient(self.host, version="auto", timeout=5)) as api:
                return bool(api.ping())
        except docker.errors.DockerException:
            return False


def on_machine_of(like: RealEngine, *namespaces: str) -> list[str]:
    """The words before a command that is to run where an engine runs.

    None on this machine; else those that enter the machine that ``engines/up`` made for it.
    """
    network = os.environ.get("PMAN_ENGINES_NETNS")
    if not network:
        return []
    name = Path(network).name.removeprefix("pman-")
    folder = next(
        path for path in Path(like.host.removeprefix("unix://")).parents if path.name == name
    )
    process = (folder.parent / "run" / f"{name}.pid").read_text().split()[0]
    first = Path(f"/proc/{process}/task/{process}/children").read_text().split()[0]
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    entered = [f"--{namespace}" for namespace in namespaces]
    return ["nsenter", "--target", first, *entered, "--", "env", f"PATH={path}"]


def own_docker(folder: Path, like: RealEngine) -> OwnEngine:
    """Docker's daemon, its containerd and its containers: they end with it, as without power."""
    data, config = folder / "own-docker", folder / "own-docker.json"
    config.write_text(json.dumps({"exec-opts": ["native.cgroupdriver=cgroupfs"]}))
    script = shutil.copy(NODE, folder)  # another machine may not see the repository
    command = [*on_machine_of(like, "mount"), *APART, "--kill-child", str(script), str(data)]
    socket = data.with_suffix(".sock")
    return OwnEngine("docker", socket, [*command, str(config)], folder / "own-docker.log")


def own_podman(folder: Path, like: RealEngine) -> OwnEngine:
    """A second service on the data of the first: Podman's containers belong to no daemon."""
    settings = Path(like.host.removeprefix("unix://")).parent
    socket = folder / "own-podman.sock"
    command = [
        *on_machine_of(like, "mount", "uts", "net", "pid"),
        "env",
        f"CONTAINERS_CONF={settings}/containers.conf",
        f"CONTAINERS_STORAGE_CONF={settings}/storage.conf",
        *("podman", "system", "service", "--time=0", f"unix://{socket}"),
    ]
    return OwnEngine("podman", socket, command, folder / "own-podman.log")


def why_no_own_engine(engine: RealEngine) -> str | None:
    """Why a test cannot have an engine of its own here; ``None`` if it can."""
    if os.geteuid():
        return "only root can start an engine"
    if engine.name == "docker":
        return None if shutil.which("dockerd") else "this machine has no dockerd"
    settings = Path(engine.host.removeprefix("unix://")).with_name("storage.conf")
    return None if settings.exists() else "the Podman service is not that of engines/up podman"


@contextlib.contextmanager
def subject_that_crashes(like: RealEngine, folder: Path) -> Iterator[Subject]:
    """An engine of this test's own as a subject; it has ended afterwards."""
    own = {"docker": own_docker, "podman": own_podman}[like.name](folder, like)
    try:
        own.start()
        with contextlib.closing(docker.APIClient(own.host, version="auto")) as api:
            if not api.images(IMAGE):
                api.load_image(like.api.get_image(IMAGE))  # type: ignore[no-untyped-call]
            with subject_of(RealEngine(own.name, own.host, api), folder) as subject:
                yield attrs.evolve(subject, crash_engine=own.crash, start_engine=own.start)
    finally:
        own.crash()
