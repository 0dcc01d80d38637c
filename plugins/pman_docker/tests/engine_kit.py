"""Makes jobs of an instance of their own, and takes all of it away again."""

import contextlib
import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import attrs
import docker.errors
from engine_subjects import BACKENDS, IMAGE, RealEngine, forget_storebase

from pman_core import Job, JobInfo, Resources
from pman_core.contract.storage import Storage, host_storage
from pman_core.kit.names import INSTANCE_LABEL, native_name
from pman_docker.backend import DockerBackend
from pman_docker.labels import container_labels

T = TypeVar("T")

PATIENCE_S = 120


@attrs.frozen
class EngineKit:
    """One test's pmans and jobs."""

    engine: RealEngine
    folder: Path
    instance: str
    more: dict[str, str]
    pmans: list[DockerBackend] = attrs.field(factory=list, repr=False)

    @property
    def environ(self) -> dict[str, str]:
        return {**self.engine.environ(), "INSTANCE": self.instance, **self.more}

    @property
    def storage(self) -> Storage:
        return host_storage(str(self.folder))

    def pman(self, **environ: str) -> DockerBackend:
        """A plugin that knows nothing but its environment."""
        made = BACKENDS[self.engine.name]({**self.environ, **environ})
        self.pmans.append(made)
        return made

    def place(self, mode: int = 0o777) -> Path:
        """A folder of the storebase, with ``in`` and ``out``."""
        made = self.folder / uuid.uuid4().hex[:10]
        for part in ("in", "out"):
            (made / part).mkdir(parents=True)
            (made / part).chmod(mode)
        return made

    def job(self, *argv: str, place: Path | None = None, **changes: Any) -> Job:
        """A job with a hard memory limit, of the two folders of ``place``."""
        name = (place or self.place()).name
        job = Job(
            jid=f"test-{uuid.uuid4().hex[:10]}",
            image=IMAGE,
            argv=argv,
            resources=Resources(memory_mib=128),
            mounts=self.storage.mounts(f"{name}/in", f"{name}/out"),
            fingerprint="v1-" + hashlib.sha256(repr(argv).encode()).hexdigest(),
        )
        return attrs.evolve(job, **changes)

    def shell(self, script: str, place: Path | None = None, **changes: Any) -> Job:
        """A job that runs a script."""
        return self.job("/bin/sh", "-c", script, place=place, **changes)

    def count(self, place: Path, **changes: Any) -> Job:
        """A job that leaves a line each time it runs."""
        return self.shell("echo run >> /share/outgoing/runs", place, **changes)

    def name(self, jid: str) -> str:
        return native_name(jid, self.instance)

    def inspect(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.engine.api.inspect_container(name)
        return found

    def objects(self) -> list[str]:
        """The names of all containers of this instance."""
        found = self.engine.api.containers(
            all=True, filters={"label": f"{INSTANCE_LABEL}={self.instance}"}
        )
        return sorted(name.lstrip("/") for summary in found for name in summary["Names"])

    def end_of(self, pman: DockerBackend, jid: str) -> JobInfo:
        """Wait for the end of a job."""
        return until(lambda: pman.pman_status(jid), lambda info: info.status.is_final)

    def run(self, job: Job, pman: DockerBackend | None = None) -> JobInfo:
        """Submit a job, and wait for its end."""
        pman = pman or self.pman()
        pman.pman_submit(job)
        return self.end_of(pman, job.jid)

    def never_started(self, job: Job) -> str:
        """What a pman leaves behind that is killed between create and start."""
        pman = self.pman()
        body = pman.flavor.job_payload(job, pman._settings, container_labels(job, self.instance))
        return pman.flavor.create(pman._engine, self.name(job.jid), body)[0]

    def until_quiet(self) -> None:
        """Wait until the pmans are through with all jobs, and what they started has ended.

        A job may have ended long before: several go on with it, and all but one do so in vain.
        """
        until(
            lambda: [pman._reconciler._starter._busy for pman in self.pmans],
            lambda busy: not any(busy),
        )
        ours = {"label": f"{INSTANCE_LABEL}={self.instance}"}
        until(lambda: self.engine.api.containers(filters=ours), lambda running: not running)

    def log(self, info: JobInfo) -> bytes:
        return self.pman().pman_logs(info, 1000, 2**20)

    def clean_up(self) -> None:
        for name in self.objects():
            with contextlib.suppress(docker.errors.APIError):
                self.engine.api.remove_container(name, force=True, v=True)
        forget_storebase(self.engine, self.folder)
        for pman in self.pmans:
            if pman._engine._api:
                pman._engine._api.close()


def runs(place: Path) -> int:
    """How often a job of ``EngineKit.count`` ran."""
    file = place / "out" / "runs"
    return len(file.read_text().splitlines()) if file.exists() else 0


def until(look: Callable[[], T], enough: Callable[[T], bool]) -> T:
    """Look again and again until it is enough."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        seen = look()
        if enough(seen):
            return seen
        assert time.monotonic() < deadline, f"waited in vain; last seen: {seen!r:.1500}"
        time.sleep(0.03)


@contextlib.contextmanager
def kit_on(engine: RealEngine, folder: Path, **environ: str) -> Iterator[EngineKit]:
    """A harness whose containers are removed in the end."""
    harness = EngineKit(engine, folder, f"test-{uuid.uuid4().hex[:8]}", environ)
    try:
        yield harness
    finally:
        harness.clean_up()
