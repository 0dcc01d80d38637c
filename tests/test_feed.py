"""Several processes answer from what the engine reported, and never contradict one another."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
import requests
from kills import Campaign, campaign

#: So many connections meet all processes of a server.
CONNECTIONS = 12

#: In that time each process has learned from the feed what there is.
LEARNED_S = 1.3

PATIENCE_S = 60.0


@attrs.frozen
class Client:
    """Asks as many clients do: each time on a connection of its own."""

    running: Campaign

    def post(self, jid: str, script: str) -> None:
        self._ask("POST", "", self.running.request(jid, script))

    def cancel(self, jid: str) -> None:
        self._ask("POST", f"{jid}/cancel/")

    def delete(self, jid: str) -> None:
        self._ask("DELETE", f"{jid}/")

    def _ask(self, method: str, path: str, body: object = None) -> None:
        url = self.running.server.url + path
        requests.request(method, url, json=body, timeout=60).raise_for_status()

    def get(self, jid: str) -> dict[str, Any]:
        """The answer, or no job."""
        answer = requests.get(f"{self.running.server.url}{jid}/?logs=no", timeout=60)
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
def client() -> Iterator[Client]:
    """A pman with three processes, whose jobs are processes of this machine."""
    with campaign("process", seed=0, workers=3) as running:
        yield Client(running)


@pytest.mark.parametrize("turn", range(3))
def test_no_process_contradicts_what_another_one_answered(client: Client, turn: int) -> None:
    jid = f"job-{turn}"
    client.running.directories(jid)
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
