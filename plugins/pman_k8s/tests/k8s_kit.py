"""Makes jobs of an instance of their own on the cluster, and takes all of it away again."""

import contextlib
import hashlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from k8s_cluster import IMAGE, NAMESPACE, PATIENCE_S, STOREBASE, Account, account, admin, until
from k8s_subjects import claim_of_tests, environ_of

from pman_core import Job, JobInfo, Resources
from pman_core.kit.names import INSTANCE_LABEL, native_name
from pman_k8s.backend import KubernetesBackend
from pman_k8s.labels import selector


@attrs.frozen
class Place:
    """The two folders of a job."""

    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / "out" / name

    def runs(self) -> int:
        """How often a job of ``K8sKit.count`` ran."""
        file = self.path("runs")
        return len(file.read_text().splitlines()) if file.exists() else 0


@attrs.frozen
class K8sKit:
    """One test's pmans and jobs."""

    folder: Path
    account: Account
    port: int | None
    instance: str
    made: list[Path] = attrs.field(factory=list, repr=False)

    @property
    def environ(self) -> dict[str, str]:
        config = self.account.kubeconfig(self.folder, self.port)
        return environ_of(config, INSTANCE=self.instance, JOB_NAMESPACE=self.account.namespace)

    def pman(self, **environ: str) -> KubernetesBackend:
        """A plugin that knows nothing but its environment."""
        return KubernetesBackend({**self.environ, **environ})

    def place(self) -> Place:
        made = STOREBASE / f"kit-{uuid.uuid4().hex[:10]}"
        for part in ("in", "out"):
            (made / part).mkdir(parents=True)
            (made / part).chmod(0o777)
        self.made.append(made)
        return Place(made)

    def job(self, *argv: str, place: Place | None = None, **changes: Any) -> Job:
        """A job with a hard memory limit."""
        name = (place or self.place()).folder.name
        job = Job(
            jid=f"test-{uuid.uuid4().hex[:10]}",
            image=IMAGE,
            argv=argv,
            resources=Resources(memory_mib=128),
            mounts=claim_of_tests().mounts(f"{name}/in", f"{name}/out"),
            fingerprint="v1-" + hashlib.sha256(repr(argv).encode()).hexdigest(),
        )
        return attrs.evolve(job, **changes)

    def shell(self, script: str, place: Place | None = None, **changes: Any) -> Job:
        return self.job("/bin/sh", "-c", script, place=place, **changes)

    def hold(self, place: Place, **changes: Any) -> Job:
        """A job that counts its runs, and lasts until the test makes a file ``release``."""
        script = (
            "echo run >> /share/outgoing/runs; echo holding; "
            "while ! [ -e /share/outgoing/release ]; do sleep 0.1; done"
        )
        return self.shell(script, place, **changes)

    def name(self, jid: str) -> str:
        return native_name(jid, self.instance)

    def found(self, jid: str) -> dict[str, Any]:
        """The job's Job."""
        return admin(self.account.namespace).job(self.name(jid)).body

    def pods(self, jid: str | None = None) -> list[dict[str, Any]]:
        wanted = {INSTANCE_LABEL: self.instance}
        if jid is not None:
            wanted["job-name"] = self.name(jid)
        return admin(self.account.namespace).pods(selector(wanted), fresh=True)

    def start(self, pman: KubernetesBackend, job: Job, place: Place) -> JobInfo:
        """Submit a job of ``hold``, and wait until it runs and pman says so."""
        pman.pman_submit(job)
        until(place.runs, bool)
        return until(lambda: pman.pman_status(job.jid), lambda info: bool(info.started))

    def end_of(self, pman: KubernetesBackend, jid: str, patience_s: float = PATIENCE_S) -> JobInfo:
        """Wait for the end of a job."""
        return until(lambda: pman.pman_status(jid), lambda info: info.status.is_final, patience_s)

    def run(self, pman: KubernetesBackend, job: Job) -> JobInfo:
        """Submit a job, and wait for its end."""
        pman.pman_submit(job)
        return self.end_of(pman, job.jid)

    def clean_up(self) -> None:
        api = admin(self.account.namespace)
        mine = selector({INSTANCE_LABEL: self.instance})
        for job in api.jobs(mine, 500, "").body["items"]:
            with contextlib.suppress(Exception):
                api.delete_job(job["metadata"]["name"], job["metadata"]["uid"])
        for pod in api.pods(mine, fresh=True):
            api.delete_pod(pod["metadata"]["name"], 0)
        for folder in self.made:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def kit_on(folder: Path, namespace: str = NAMESPACE, port: int | None = None) -> Iterator[K8sKit]:
    """A kit whose Jobs and pods are gone in the end."""
    kit = K8sKit(folder, account(namespace), port, f"test-{uuid.uuid4().hex[:8]}")
    try:
        yield kit
    finally:
        kit.clean_up()
