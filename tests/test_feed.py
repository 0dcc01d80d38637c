"""Several processes answer from what the engine reported, and never contradict one another."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import requests

#: So many connections meet all processes of a server.
CONNECTIONS = 12

#: In that time each process has learned from the feed what there is.
LEARNED_S = 1.3

PATIENCE_S = 60.0


@attrs.frozen
class Client:
    """Asks as many clients do: each time on a connection of its own."""

    url: str

    def post(self, jid: str, script: str) -> None:
        wanted = {
            "jid": jid,
            "image": "local",
            "entrypoint": ["sh", "-c", script],
            "args": [],
            "args_path_flags": [],
            "auid": "test",
            "number_of_workers": 1,
            "cpu_limit": 1000,
            "memory_limit": 300,
            "gpu_limit": 0,
            "type": "fs",
            "env": [],
            "input_dir": "in",
            "output_dir": "out",
        }
        requests.post(self.url, json=wanted, timeout=60).raise_for_status()

    def cancel(self, jid: str) -> None:
        requests.post(f"{self.url}{jid}/cancel/", timeout=60).raise_for_status()

    def delete(self, jid: str) -> None:
        requests.delete(f"{self.url}{jid}/", timeout=60).raise_for_status()

    def get(self, jid: str) -> dict[str, Any]:
        """The answer, or no job."""
        answer = requests.get(f"{self.url}{jid}/?logs=no", timeout=60)
        if answer.status_code == 404:
            return {}
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def everywhere(self, jid: str) -> list[dict[str, Any]]:
        return [self.get(jid) for _ in range(CONNECTIONS)]

    def until(self, jid: str, enough: Callable[[str], bool]) -> None:
        """Wait for a state, and then until the processes have learned it from the feed."""
        deadline = time.monotonic() + PATIENCE_S
        while not enough(self.get(jid)["status"]):
            assert time.monotonic() < deadline, self.get(jid)
        learned = time.monotonic() + LEARNED_S
        while time.monotonic() < learned:
            self.get(jid)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A pman with three processes, whose jobs are processes of this machine."""
    for part in ("in", "out"):
        (tmp_path / part).mkdir()
    variables = {
        "CONTAINER_ENV": "process",
        "PROCESS_STATE_DIR": str(tmp_path / "state"),
        "STOREBASE": str(tmp_path),
        "IGNORE_LIMITS": "cpu",
        "INSTANCE": f"test-{uuid.uuid4().hex[:8]}",
    }
    program = "from pman_core.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--workers", "3"]
    process = subprocess.Popen(
        command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        yield Client(process.stdout.readline().split()[-1])
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("turn", range(3))
def test_no_process_contradicts_what_another_one_answered(client: Client, turn: int) -> None:
    jid = f"job-{turn}"
    client.post(jid, "sleep 1000")
    client.until(jid, "started".__eq__)
    client.cancel(jid)
    assert {answer["reason"] for answer in client.everywhere(jid)} == {"cancelled"}
    client.until(jid, lambda status: "finished" in status)
    client.delete(jid)
    assert client.everywhere(jid) == [{}] * CONNECTIONS
    client.post(jid, "echo again")
    assert all("echo again" in answer["cmd"] for answer in client.everywhere(jid))
    client.until(jid, lambda status: "finished" in status)
    client.delete(jid)
    assert client.everywhere(jid) == [{}] * CONNECTIONS
