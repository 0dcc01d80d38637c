"""Kills ``pman serve`` at random moments, and counts what becomes of the jobs.

Each round sends a POST, a cancellation or a DELETE, kills the server and its workers meanwhile
(SIGKILL), starts it again, and repeats the request as CUBE does until it is answered.  A job that
never ran is lost, one that ran twice is doubled, and what runs or is listed after its end is left
behind.  Run by ``./nox -s kills -- BACKEND COUNT``; ``test_kills.py`` runs some rounds of it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs
import requests

T = TypeVar("T")

#: Seconds to wait for anything that must happen.
PATIENCE_S = 120.0

#: The longest time from a request to the kill, in seconds; a request of most backends is shorter.
LATEST_S = 0.6

IMAGE = os.environ.get("PMAN_TEST_IMAGE", "localhost/pman-test:1")

#: Where jobs have no image.
IMAGES = dict.fromkeys(("process", "cromwell"), "local")

#: What jobs do: note that they run, and end after a second, or never.
ENDS = 'echo run >>"$1/runs"; sleep 1'
STAYS = 'echo run >>"$1/runs"; while :; do date +%s%N >"$1/alive"; sleep 0.2; done'

OPERATIONS = ("POST", "cancel", "DELETE")


def settings_of(backend: str, folder: Path) -> dict[str, str]:
    """What pman must know of a backend, from the variables of ``engines/up``."""
    host = {"STORAGE_TYPE": "host", "STOREBASE": str(folder / "storebase")}
    known = os.environ.get
    return {
        "process": {
            **host,
            "IGNORE_LIMITS": "cpu",
            "PROCESS_STATE_DIR": str(folder / "state"),
        },
        "docker": {**host, "DOCKER_HOST": known("DOCKER_HOST") or "unix:///var/run/docker.sock"},
        "podman": {**host, "DOCKER_HOST": known("PMAN_PODMAN_HOST", "")},
        "swarm": {**host, "DOCKER_HOST": known("PMAN_SWARM_HOST", "")},
        "kubernetes": {
            "STORAGE_TYPE": "kubernetes_pvc",
            "VOLUME_NAME": known("PMAN_K8S_CLAIM", ""),
            "STOREBASE_MOUNT": known("PMAN_K8S_STOREBASE", ""),
            "KUBECONFIG": known("KUBECONFIG", ""),
            "JOB_NAMESPACE": known("PMAN_K8S_NAMESPACE", ""),
        },
        "cromwell": {
            **host,
            "CROMWELL_URL": known("PMAN_CROMWELL_URL", ""),
            "CROMWELL_RUNTIME": "none",  # as the stand-in of ``engines/up`` has it
        },
    }[backend]


@attrs.define
class Server:
    """One ``pman serve`` with several workers, on a port that stays the same."""

    environ: Mapping[str, str]
    log: Path
    workers: int = 2
    port: int = attrs.field(factory=lambda: free_port())
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1/"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = ["pman", "serve", "--workers", str(self.workers), "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )
        until("pman serve", self._answers, bool)

    def kill(self) -> None:
        """End it and its workers, as ``kill -9`` does."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        with contextlib.suppress(requests.RequestException):
            return requests.get(self.url, timeout=5).ok
        return False

    def ask(self, method: str, path: str = "", body: Any = None) -> requests.Response | None:
        """An answer that says yes or no; ``None`` where there is none, or pman says not now."""
        try:
            answer = requests.request(method, self.url + path, json=body, timeout=100)
        except requests.RequestException:
            return None
        return None if answer.status_code >= 500 else answer

    def ask_on(self, method: str, path: str = "", body: Any = None) -> requests.Response:
        """Repeat a request until it is answered."""
        found: list[requests.Response] = []

        def look() -> bool:
            answer = self.ask(method, path, body)
            found.extend([] if answer is None else [answer])
            return bool(found)

        until(f"{method} {path}", look, bool)
        return found[0]


@attrs.define
class Campaign:
    """Rounds on one backend.

    :param folder: of the machine, and for jobs at the same path; job directories are below it.
    """

    backend: str
    server: Server
    storebase: Path
    dice: random.Random
    tally: Counter[str] = attrs.field(factory=Counter)
    faults: list[str] = attrs.field(factory=list)

    def round(self, operation: str) -> None:
        """One kill."""
        jid = f"kills-{uuid.uuid4().hex[:10]}"
        out = self.directories(jid)
        wanted = self.request(jid, ENDS if operation == "POST" else STAYS)
        if operation == "POST":
            answer = self._interrupted("POST", "", wanted)
            assert answer.status_code == 201, answer.text
            until(f"the end of {jid}", lambda: self._state(jid), lambda s: "finished" in s)
        else:
            self.server.ask_on("POST", "", wanted)
            until(f"{jid} to run", (out / "alive").exists, bool)
            paths = {"cancel": ("POST", f"{jid}/cancel/"), "DELETE": ("DELETE", f"{jid}/")}
            answer = self._interrupted(*paths[operation])
            self._expect_end(operation, jid, answer, out)
        self._count_runs(operation, jid, out)
        self.server.ask_on("DELETE", f"{jid}/")
        if self.server.ask_on("GET", f"{jid}/").status_code != 404:
            self._fault("left behind", f"{jid} is still known after its removal")
        self.tally[operation] += 1

    def _expect_end(self, operation: str, jid: str, answer: requests.Response, out: Path) -> None:
        if operation == "cancel" and answer.json().get("reason") != "cancelled":
            self._fault("wrongly reported", f"{jid}: {answer.text}")
        if operation == "DELETE" and answer.status_code not in (204, 404):
            self._fault("wrongly reported", f"{jid}: {answer.text}")
        try:
            until(f"the process of {jid} to end", lambda: is_alive(out), lambda alive: not alive)
        except AssertionError:
            self._fault("left behind", f"the process of {jid} runs on after {operation}")

    def _count_runs(self, operation: str, jid: str, out: Path) -> None:
        runs = len((out / "runs").read_text().splitlines()) if (out / "runs").exists() else 0
        if runs == 0:
            self._fault("lost", f"{jid} ({operation}) never ran: {self._state(jid)}")
        elif runs > 1:
            self._fault("doubled", f"{jid} ({operation}) ran {runs} times")

    def _interrupted(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Send a request, kill the server meanwhile, and repeat until there is an answer."""
        asking = threading.Thread(target=self.server.ask, args=(method, path, body))
        asking.start()
        time.sleep(self.dice.uniform(0, LATEST_S))  # the moment of the kill is what this varies
        self.server.kill()
        asking.join()
        self.server.start()
        return self.server.ask_on(method, path, body)

    def _state(self, jid: str) -> str:
        answer = self.server.ask("GET", f"{jid}/?logs=no")
        return "no answer" if answer is None else str(answer.json().get("status", answer.text))

    def directories(self, jid: str) -> Path:
        """Make the directories of a job; the one that it writes to."""
        for name in ("in", "out"):
            folder = self.storebase / jid / name
            folder.mkdir(parents=True)
            folder.chmod(0o777)
        return self.storebase / jid / "out"

    def request(self, jid: str, script: str) -> dict[str, Any]:
        """The body of a POST for a job."""
        return {
            "args": [],
            "auid": "kills",
            "number_of_workers": 1,
            "cpu_limit": 1000,
            "memory_limit": 128,
            "gpu_limit": 0,
            "image": IMAGES.get(self.backend, IMAGE),
            "entrypoint": ["sh", "-c", script, "sh"],
            "type": "fs",
            "input_dir": f"{self.storebase.name}/{jid}/in" if self._is_below else f"{jid}/in",
            "output_dir": f"{self.storebase.name}/{jid}/out" if self._is_below else f"{jid}/out",
            "jid": jid,
        }

    @property
    def _is_below(self) -> bool:
        """Whether the jobs' folder is one of several in the storebase."""
        return self.backend == "kubernetes"

    def _fault(self, kind: str, what: str) -> None:
        self.tally[kind] += 1
        self.faults.append(f"{kind}: {what}")


def is_alive(out: Path) -> bool:
    """Whether a job still writes."""
    alive = out / "alive"
    before = alive.read_text()
    time.sleep(1)  # it writes five times a second
    return alive.read_text() != before


def until(what: str, look: Callable[[], T], enough: Callable[[T], object]) -> T:
    """Look again and again until it is enough."""
    deadline = time.monotonic() + PATIENCE_S
    while not enough(seen := look()):
        assert time.monotonic() < deadline, f"waited in vain for {what}; last seen: {seen!r:.500}"
        time.sleep(0.05)
    return seen


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def campaign(backend: str, seed: int, workers: int = 2) -> Iterator[Campaign]:
    """A server and folders, which go away in the end."""
    with tempfile.TemporaryDirectory(prefix="pman-kills-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        instance = f"kills-{uuid.uuid4().hex[:8]}"
        shared = os.environ.get("PMAN_K8S_STOREBASE") if backend == "kubernetes" else None
        storebase = Path(shared) / instance if shared else folder / "storebase"
        (storebase / ".pman").mkdir(parents=True)
        environ = {
            **os.environ,
            **settings_of(backend, folder),
            "CONTAINER_ENV": backend,
            "INSTANCE": instance,
        }
        server = Server(environ, folder / "server.log", workers)
        made = Campaign(backend, server, storebase, random.Random(seed))  # noqa: S311
        try:
            server.start()
            yield made
            until("an empty list", lambda: _listed(server), lambda jobs: not jobs)
        finally:
            for jid in _listed(server):
                server.ask("DELETE", f"{jid}/")
            server.kill()
            shutil.rmtree(storebase, ignore_errors=True)


def _listed(server: Server) -> list[str]:
    answer = server.ask("GET", "jobs/")
    return [job["jid"] for job in answer.json()["jobs"]] if answer is not None else []


def main() -> None:
    """Run a campaign, and print what it counted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backend", nargs="?", default="process")
    parser.add_argument("count", nargs="?", type=int, default=200)
    given = parser.parse_args()
    with campaign(given.backend, seed=given.count) as running:
        for number in range(given.count):
            running.round(OPERATIONS[number % len(OPERATIONS)])
    kinds = ("lost", "doubled", "left behind", "wrongly reported")
    counted = {**{kind: running.tally[kind] for kind in kinds}, **running.tally}
    print(f"{given.backend}: {given.count} kills: {json.dumps(counted)}")  # noqa: T201
    sys.exit("\n".join(running.faults) or None)


if __name__ == "__main__":
    main()
