"""Measures the Docker backend on a real engine, against the Docker SDK doing the same by hand.

Everything runs in this process, through Flask's test client, so that HTTP to pman is not
measured. pman and the SDK take turns, in several rounds; the quickest round counts, since other
work of the machine only ever makes a round slower. The targets are those that the project set
itself; nothing here fails when one is missed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import attrs
import docker
import docker.errors
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pman_core.app import create_app
from pman_core.kit.names import INSTANCE_LABEL

HOST = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
IMAGE = os.environ.get("PMAN_TEST_IMAGE", "localhost/pman-test:1")
API = "/api/v1/"

#: How long an end or an image that cannot be had is waited for.
PATIENCE_S = 60


def main() -> None:
    """Measure, and print a table."""
    instance = f"bench-{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as folder, engine(instance) as api:
        for part in ("in", "out"):
            (Path(folder) / part).mkdir()
        environ = {
            "CONTAINER_ENV": "docker",
            "DOCKER_HOST": HOST,
            "STORAGE_TYPE": "host",
            "STOREBASE": folder,
            "INSTANCE": instance,
        }
        bench = Bench(create_app(environ).test_client(), api)
        row("", "pman", "SDK", "ratio", "target")
        bench.calls()
        bench.submit()
        bench.status("GET, 10 lines of log", 10)
        bench.status("GET, 1,000 lines of log", 1000)
        bench.missing_image()


@contextlib.contextmanager
def engine(instance: str) -> Iterator[Any]:
    """The SDK's client; whatever is left over in the engine is removed at the end."""
    try:
        # It has no types.
        api: Any = docker.APIClient(HOST, version="auto", timeout=60)
        api.inspect_image(IMAGE)
    except docker.errors.DockerException as error:
        sys.exit(f'{IMAGE} on {HOST}: {error}\nThis needs both: eval "$(engines/up docker)"')
    try:
        yield api
    finally:
        label = f"{INSTANCE_LABEL}={instance}"
        for left in api.containers(all=True, filters={"label": label}):
            with contextlib.suppress(docker.errors.NotFound):
                api.remove_container(left["Id"], force=True)
        api.close()


@attrs.frozen
class Bench:
    """pman, and the SDK's client of the same engine."""

    pman: FlaskClient
    api: Any

    def calls(self) -> None:
        """What pman asks of the engine for each request."""
        for what in ("first POST ever", "POST"):
            jid = new_jid()
            with recorded() as sent:
                self.post(jid, "true")
            tell_calls(what, sent)
            self.await_end(jid)
            with recorded() as sent:
                self.get(jid)
            if what == "POST":
                tell_calls("GET", sent)
            with recorded() as sent:
                self.delete(jid)
            if what == "POST":
                tell_calls("DELETE", sent)

    def submit(self) -> None:
        """POST of a job whose image is present, against create and start of its equal."""
        jid = new_jid()
        with recorded() as sent:
            self.post(jid, "true")
        body = json.loads(next(one.body for one in sent if "/create" in str(one.url)) or "")
        self.await_end(jid)
        self.delete(jid)

        def ours() -> float:
            jid = new_jid()
            seconds = clocked(lambda: self.post(jid, "true"))
            # Its end must not fall into the next measurement.
            self.await_end(jid)
            self.delete(jid)
            return seconds

        def by_hand() -> float:
            container = ""

            def create_and_start() -> None:
                nonlocal container
                name = f"pman-{new_jid()}"
                container = self.api.create_container_from_config(body, name)["Id"]
                self.api.start(container)

            seconds = clocked(create_and_start)
            self.api.wait(container)
            self.api.remove_container(container)
            return seconds

        compare("POST", ours, by_hand, rounds=8, turns=6, target="<= 1.1")

    def status(self, what: str, lines: int) -> None:
        """GET of a finished job, against one inspect and one log read."""
        jid = new_jid()
        script = f"for number in $(seq {lines}); do echo a line of the log of the job; done"
        container = self.post(jid, "sh", "-c", script)["native"]
        self.await_end(jid)
        url = f"{self.api.base_url}/containers/{container}/logs"
        query = {"stdout": 1, "stderr": 1, "tail": 1000}

        def by_hand() -> float:
            def inspect_and_read() -> None:
                self.api.inspect_container(container)
                # Not its logs(): that inspects once more.
                if not self.api.get(url, params=query, timeout=60).content:
                    sys.exit("the log is empty")

            return clocked(inspect_and_read)

        def ours() -> float:
            return clocked(lambda: self.get(jid))

        compare(what, ours, by_hand, rounds=16, turns=30, target="<= 1.2")
        self.delete(jid)

    def missing_image(self) -> None:
        """POST of a job whose image is nowhere."""
        times = []
        for _ in range(5):
            jid = new_jid()
            request = {**job_request(jid, "true"), "image": "localhost:1/no-such-image:1"}
            times.append(clocked(partial(self.posted, request)))
            self.delete(jid)  # it waits: its registry may be there later
        took = f"{statistics.median(times) * 1000:.1f} ms"
        row("POST, image is missing", took, "", "", "< 2 s")

    # -------------------------------------------------------------------- requests

    def post(self, jid: str, *argv: str) -> dict[str, Any]:
        """Submit a job."""
        return self.posted(job_request(jid, *argv))

    def posted(self, request: dict[str, object]) -> dict[str, Any]:
        """Send a request."""
        answer = self.pman.post(API, json=request)
        if answer.status_code != 201:
            sys.exit(f"POST answered {answer.status_code}: {answer.text}")
        told: dict[str, Any] = answer.get_json()
        return told

    def get(self, jid: str) -> TestResponse:
        """Ask for a job."""
        answer = self.pman.get(f"{API}{jid}/")
        if answer.status_code != 200:
            sys.exit(f"GET answered {answer.status_code}: {answer.text}")
        return answer

    def delete(self, jid: str) -> None:
        """Remove a job."""
        answer = self.pman.delete(f"{API}{jid}/")
        if answer.status_code != 204:
            sys.exit(f"DELETE answered {answer.status_code}: {answer.text}")

    def await_end(self, jid: str) -> None:
        """Wait until a job has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.get(jid).get_json()["status"].startswith("finished"):
            if time.monotonic() > deadline:
                sys.exit(f"job {jid} did not end")
            time.sleep(0.02)


def compare(
    what: str,
    ours: Callable[[], float],
    by_hand: Callable[[], float],
    *,
    rounds: int,
    turns: int,
    target: str,
) -> None:
    """Let the two take turns, and print the medians of the quickest round."""
    medians = []
    for _ in range(rounds):
        pairs = []
        for turn in range(turns):
            first, second = (ours, by_hand) if turn % 2 else (by_hand, ours)
            took = {first: first(), second: second()}
            pairs.append((took[ours], took[by_hand]))
        medians.append([statistics.median(pair[side] for pair in pairs) for side in (0, 1)])
    mine, hand = min(medians, key=sum)
    ratio = f"{mine / hand:.2f}"
    row(what, f"{mine * 1000:.1f} ms", f"{hand * 1000:.1f} ms", ratio, target)


@contextlib.contextmanager
def recorded() -> Iterator[list[requests.PreparedRequest]]:
    """Every request that is sent to the engine meanwhile."""
    sent: list[requests.PreparedRequest] = []
    send = requests.Session.send

    def noted(
        session: requests.Session, request: requests.PreparedRequest, **more: Any
    ) -> requests.Response:
        sent.append(request)
        return send(session, request, **more)

    with mock.patch.object(requests.Session, "send", noted):
        yield sent


def tell_calls(what: str, sent: list[requests.PreparedRequest]) -> None:
    """Print how many engine calls a request took, and which."""
    words = ", ".join(f"{one.method} {short(str(one.path_url))}" for one in sent)
    sys.stdout.write(f"{what + ', engine calls':28}{len(sent):>12}  {words}\n")


def short(path: str) -> str:
    """A path of the engine's API without version, query and names."""
    path = re.sub(r"^/v[\d.]+", "", path.partition("?")[0])
    return re.sub(r"(/containers)/(?!create$|json$)[^/]+", r"\1/ID", path)


def clocked(work: Callable[[], object]) -> float:
    """How many seconds it takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def job_request(jid: str, *argv: str) -> dict[str, object]:
    """A small job with limits that hold."""
    return {
        "jid": jid, "image": IMAGE, "entrypoint": list(argv), "args": [], "auid": "bench",
        "type": "ds", "number_of_workers": 1, "cpu_limit": 1000, "memory_limit": 100,
        "gpu_limit": 0, "input_dir": "in", "output_dir": "out",
    }  # fmt: skip


def new_jid() -> str:
    """One that nobody else has."""
    return f"bench-{uuid.uuid4().hex[:12]}"


def row(*cells: str) -> None:
    """Print one row of the table."""
    sys.stdout.write("{:28}{:>12}{:>12}{:>8}{:>10}\n".format(*cells))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
