"""Measures the Kubernetes backend with few and with thousands of Jobs in its namespace.

Everything runs in this process, through Flask's test client, so that HTTP to pman is not
measured. The many Jobs have no pods (their parallelism is 0), so they load the API server and
nothing else; all are deleted afterwards. The same requests are measured with few Jobs and with
many: what counts is the ratio. Nothing here fails when a target is missed.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

# This file's folder comes last: this file has the name of the client's package, and would hide it.
sys.path.sort(key=lambda folder: Path(folder or ".").resolve() == Path(__file__).parent.resolve())

import attrs
from flask.testing import FlaskClient

from pman_core import Job, Resources
from pman_core.app import create_app
from pman_core.kit.names import INSTANCE_LABEL, native_name
from pman_core.kit.settings import load
from pman_k8s.client import Cluster
from pman_k8s.payload import job_payload
from pman_k8s.platform import KUBERNETES
from pman_k8s.settings import K8sSettings
from pman_k8s.transport import Transport

IMAGE = os.environ.get("PMAN_TEST_IMAGE", "localhost/pman-test:1")
STOREBASE = Path(os.environ.get("PMAN_K8S_STOREBASE", "/no-storebase"))
MANY = int(os.environ.get("PMAN_BENCH_JOBS", "5000"))
API = "/api/v1/"
PATIENCE_S = 120

#: How many jobs a page of the list has.
PAGE = 50

#: Requests of each kind; their median counts.
TURNS = 40


def main() -> None:
    """Measure, and print a table."""
    if not STOREBASE.is_dir():
        sys.exit('This needs a cluster: eval "$(engines/up kubernetes)"')
    environ = {
        "CONTAINER_ENV": "kubernetes",
        "KUBECONFIG": os.environ.get("KUBECONFIG", ""),
        "JOB_NAMESPACE": os.environ.get("PMAN_K8S_NAMESPACE", "pman-test"),
        "STORAGE_TYPE": "kubernetes_pvc",
        "VOLUME_NAME": os.environ.get("PMAN_K8S_CLAIM", "storebase"),
        "STOREBASE_MOUNT": str(STOREBASE),
        "INSTANCE": f"bench-{uuid.uuid4().hex[:8]}",
    }
    with folders() as folder, instance(environ) as cluster:
        bench = Bench(create_app(environ).test_client(), cluster, environ, folder)
        bench.prepare()
        bench.fill(range(PAGE))
        few = bench.measured()
        took = clocked(lambda: bench.fill(range(PAGE, MANY)))
        row("", "few Jobs", f"{MANY:,} Jobs", "ratio", "target")
        for what, seconds in bench.measured().items():
            times = (f"{1000 * few[what]:.1f} ms", f"{1000 * seconds:.1f} ms")
            row(what, *times, f"{seconds / few[what]:.2f}", "<= 1.5")
        row("the whole list, by 500", "", f"{bench.whole_list():.1f} s", "", "")
        row(f"{MANY:,} creates by hand", "", f"{took:.1f} s", "", "")


@attrs.frozen
class Bench:
    """pman, and the API server by hand."""

    pman: FlaskClient
    cluster: Cluster
    environ: dict[str, str]
    folder: str
    jids: dict[str, str] = attrs.field(factory=dict)

    def prepare(self) -> None:
        """Submit jobs that end, run, run with two workers, and wait for room."""
        self.jids["ended"] = self.post("true")
        self.await_status("ended", "finishedSuccessfully")
        self.jids["running"] = self.post("while :; do sleep 1; done")
        self.await_status("running", "started")
        self.jids["two workers"] = self.post("while :; do sleep 1; done", number_of_workers=2)
        self.await_status("two workers", "started")
        self.jids["waiting"] = self.post("true", cpu_limit=1_000_000)
        self.await_status("waiting", "notstarted")
        for state in self.jids:
            with calls() as asked:
                self.get(state)
            sys.stdout.write(f"GET, {state}: {len(asked)} calls ({', '.join(asked)})\n")

    def measured(self) -> dict[str, float]:
        """Seconds of each kind of request."""
        times = {f"GET, {state}": median(partial(self.get, state)) for state in self.jids}
        times[f"list, a page of {PAGE}"] = median(lambda: self.listed(PAGE))
        times["POST"] = median(lambda: self.post("true", cpu_limit=1_000_000), 10)
        return {**times, "DELETE": statistics.median(self.deletes())}

    def deletes(self) -> Iterator[float]:
        """Seconds of each removal of a job that waits for room."""
        for _ in range(10):
            self.jids["deleted"] = jid = self.post("true", cpu_limit=1_000_000)
            self.await_status("deleted", "notstarted")
            yield clocked(partial(self.pman.delete, f"{API}{jid}/"))
            if self.pman.get(f"{API}{jid}/").status_code != 404:
                sys.exit(f"job {jid} is still there")
        del self.jids["deleted"]

    def fill(self, numbers: range) -> None:
        """Make Jobs that never have a pod, and wait until the controller has seen them all."""
        settings = load(K8sSettings, self.environ)

        def make(index: int) -> None:
            job = Job(
                jid=f"filler-{index}",
                image=IMAGE,
                argv=("true",),
                resources=Resources(memory_mib=64),
                fingerprint="v1-bench",
            )
            name = native_name(job.jid, settings.instance)
            body = job_payload(name, job, settings, KUBERNETES)
            body["spec"]["parallelism"] = 0
            self.cluster.create(body)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(make, numbers))
        # The controller works through its queue in order.
        self.jids["last"] = self.post("true")
        self.await_status("last", "finishedSuccessfully")
        del self.jids["last"]

    def whole_list(self) -> float:
        """Seconds of a list of everything, page by page."""

        def read() -> None:
            cursor: str | None = ""
            while cursor is not None:
                answer = self.listed(500, cursor)
                cursor = answer["next"]

        return clocked(read)

    # -------------------------------------------------------------------- requests

    def post(self, script: str, **changes: object) -> str:
        """Submit a job; its id."""
        jid = f"bench-{uuid.uuid4().hex[:12]}"
        request = {
            "jid": jid, "image": IMAGE, "entrypoint": ["/bin/sh", "-c"], "args": [script],
            "auid": "bench", "type": "ds", "number_of_workers": 1, "cpu_limit": 100,
            "memory_limit": 100, "gpu_limit": 0, "input_dir": f"{self.folder}/in",
            "output_dir": f"{self.folder}/out",
        }  # fmt: skip
        self.answer("POST", API, 201, json={**request, **changes})
        return jid

    def get(self, state: str) -> dict[str, Any]:
        """Ask for the job in that state, as CUBE does every five seconds."""
        return self.answer("GET", f"{API}{self.jids[state]}/", 200)

    def listed(self, limit: int, cursor: str = "") -> dict[str, Any]:
        """A page of the list."""
        query = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        return self.answer("GET", f"{API}jobs/", 200, query_string=query)

    def answer(self, method: str, path: str, code: int, **more: Any) -> dict[str, Any]:
        """What pman answers."""
        answer = self.pman.open(path, method=method, **more)
        if answer.status_code != code:
            sys.exit(f"{method} {path} answered {answer.status_code}: {answer.text}")
        content: dict[str, Any] = answer.get_json()
        return content

    def await_status(self, state: str, status: str) -> None:
        """Wait for the status of a job."""
        deadline = time.monotonic() + PATIENCE_S
        while self.get(state)["status"] != status:
            if time.monotonic() > deadline:
                sys.exit(f"the job that should be {state} is not {status}: {self.get(state)}")
            time.sleep(0.1)


@contextlib.contextmanager
def folders() -> Iterator[str]:
    """The directories of all jobs."""
    made = STOREBASE / f"bench-{uuid.uuid4().hex[:8]}"
    for part in ("in", "out"):
        (made / part).mkdir(parents=True)
    try:
        yield made.name
    finally:
        for part in ("in", "out"):
            (made / part).rmdir()
        made.rmdir()


@contextlib.contextmanager
def instance(environ: dict[str, str]) -> Iterator[Cluster]:
    """The API server; all Jobs of the instance are deleted at the end."""
    cluster = Cluster(load(K8sSettings, environ | {"ENGINE_TIMEOUT": "90"}), environ)
    try:
        yield cluster
    finally:
        mine = {"labelSelector": f"{INSTANCE_LABEL}={environ['INSTANCE']}"}
        for path in ("/apis/batch/v1/namespaces/{}/jobs", "/api/v1/namespaces/{}/pods"):
            how = {"propagationPolicy": "Background", "gracePeriodSeconds": 0}
            cluster.ask("DELETE", path.format(cluster.namespace), how, query=mine)


@contextlib.contextmanager
def calls() -> Iterator[list[str]]:
    """Record every request that is sent to the API server."""
    asked: list[str] = []
    send = Transport.send

    def recorded(self: Transport, method: str, path: str, *more: Any) -> Any:
        asked.append(f"{method} {path.split('/namespaces/')[-1].partition('/')[2].split('/')[0]}")
        return send(self, method, path, *more)

    with mock.patch.object(Transport, "send", recorded):
        yield asked


def median(work: Callable[[], object], turns: int = TURNS) -> float:
    """The median of the seconds that it takes."""
    work()
    return statistics.median(clocked(work) for _ in range(turns))


def clocked(work: Callable[[], object]) -> float:
    """How many seconds it takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def row(*cells: str) -> None:
    """Print one row of the table."""
    sys.stdout.write("{:28}{:>12}{:>12}{:>8}{:>10}\n".format(*cells))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
