"""Measures the Swarm backend on a real swarm, against the same calls made by hand.

As in ``bench/docker_engine.py``: pman is called in this process, the two take turns, and the
quickest round counts. No node takes the jobs of the POST and of the list, so that nothing of theirs
runs beside the measurement.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# The folder above this one, for ``bench.docker_engine``.
sys.path.insert(0, str(Path(__file__).parents[1]))

import attrs
import docker
import docker.errors

from bench.docker_engine import (
    API,
    IMAGE,
    Bench,
    clocked,
    compare,
    job_request,
    new_jid,
    recorded,
    row,
)
from pman_core.app import create_app
from pman_core.kit.names import INSTANCE_LABEL

HOST = os.environ.get("PMAN_SWARM_HOST") or "unix:///var/run/docker.sock"

#: How many jobs a list has.
MANY = 200


def main() -> None:
    """Measure, and print a table."""
    instance = f"bench-{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as folder, swarm(instance) as api:
        for part in ("in", "out"):
            (Path(folder) / part).mkdir()
        environ = {
            "CONTAINER_ENV": "swarm",
            "DOCKER_HOST": HOST,
            "STORAGE_TYPE": "host",
            "STOREBASE": folder,
            "INSTANCE": instance,
        }
        nowhere = {**environ, "NODE_SELECTOR": "pman.no=such"}
        bench = SwarmBench(create_app(environ).test_client(), api, instance)
        idle = SwarmBench(create_app(nowhere).test_client(), api, instance)
        row("", "pman", "by hand", "ratio", "target")
        bench.calls()
        idle.submit()
        bench.status("GET, 10 lines of log", 10)
        idle.listing()


@contextlib.contextmanager
def swarm(instance: str) -> Iterator[Any]:
    """The SDK's client of a manager; whatever is left over in the swarm is removed at the end."""
    try:
        api: Any = docker.APIClient(HOST, version="auto", timeout=60)  # it has no types
        api.inspect_swarm()
        api.inspect_image(IMAGE)
    except docker.errors.DockerException as error:
        sys.exit(f'{IMAGE} on {HOST}: {error}\nThis needs both: eval "$(engines/up swarm)"')
    api.trust_env = False  # as in the plugin
    try:
        yield api
    finally:
        for left in api.services({"label": f"{INSTANCE_LABEL}={instance}"}):
            with contextlib.suppress(docker.errors.NotFound):
                api.remove_service(left["ID"])
        api.close()


@attrs.frozen
class SwarmBench(Bench):
    """pman, and the SDK's client of the same manager."""

    instance: str

    def submit(self) -> None:
        """POST of a job, against one create of its equal."""
        jid = new_jid()
        with recorded() as sent:
            self.post(jid, "true")
        body = json.loads(next(one.body for one in sent if "/create" in str(one.url)) or "")
        self.delete(jid)

        def ours() -> float:
            jid = new_jid()
            seconds = clocked(lambda: self.post(jid, "true"))
            self.delete(jid)
            return seconds

        def by_hand() -> float:
            url = f"{self.api.base_url}/services/create"
            named = {**body, "Name": new_jid()}
            seconds = clocked(lambda: self.api.post(url, json=named, timeout=60).raise_for_status())
            self.api.remove_service(named["Name"])
            return seconds

        compare("POST", ours, by_hand, rounds=8, turns=12, target="")

    def status(self, what: str, lines: int) -> None:
        """GET of a finished job, against one read each of service, tasks and log."""
        jid = new_jid()
        script = f"for number in $(seq {lines}); do echo a line of the log of the job; done"
        service = self.post(jid, "sh", "-c", script)["native"]
        self.await_end(jid)

        def by_hand() -> float:
            def read_all() -> None:
                self._read(f"/services/{service}")
                (task,) = self._read("/tasks", {"service": [service]})
                url = f"{self.api.base_url}/tasks/{task['ID']}/logs"
                query = {"stdout": 1, "stderr": 1, "tail": 1000}
                if not self.api.get(url, params=query, timeout=60).content:
                    sys.exit("the log is empty")

            return clocked(read_all)

        def ours() -> float:
            return clocked(lambda: self.get(jid))

        compare(what, ours, by_hand, rounds=8, turns=20, target="")
        self.delete(jid)

    def listing(self) -> None:
        """GET of a list, against one read of all services and one of all tasks."""
        for _ in range(MANY):
            self.posted(job_request(new_jid(), "true"))
        wanted = {"label": [f"{INSTANCE_LABEL}={self.instance}"]}

        def by_hand() -> float:
            return clocked(lambda: [self._read(path, wanted) for path in ("/services", "/tasks")])

        def ours() -> float:
            return clocked(self._list)

        compare(f"GET of a list, {MANY} jobs", ours, by_hand, rounds=4, turns=6, target="")
        with recorded() as sent:
            self._list()
        sys.stdout.write(f"{'list, engine calls':28}{len(sent):>12}\n")

    def _list(self) -> None:
        answer = self.pman.get(f"{API}jobs/?limit={MANY}")
        if answer.status_code != 200 or answer.text.count('"jid"') != MANY:
            sys.exit(f"the list answered {answer.status_code}: {answer.text[:300]}")

    def _read(self, path: str, filters: Mapping[str, list[str]] | None = None) -> Any:
        query = {"filters": json.dumps(filters)} if filters else {}
        answer = self.api.get(self.api.base_url + path, params=query, timeout=60)
        answer.raise_for_status()
        return answer.json()


if __name__ == "__main__":
    main()
