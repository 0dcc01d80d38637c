"""How often the engine is asked, and that it is never waited for without an end."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from engine_kit import until
from engine_subjects import SDK_LEAVES_SOCKETS
from proxies import Proxy
from swarm_kit import SwarmKit

from pman_core import JobFilter, Status
from pman_core.contract.errors import EngineUnavailableError
from pman_swarm.client import SwarmClient

pytestmark = pytest.mark.filterwarnings(SDK_LEAVES_SOCKETS)

#: Every call that the swarm's client has.
SWARM_CALLS: dict[str, Callable[[SwarmClient], object]] = {
    "node": lambda swarm: swarm.node(),
    "ask": lambda swarm: swarm.ask(),
    "create": lambda swarm: swarm.create({}, "x"),
    "service": lambda swarm: swarm.service("x"),
    "update": lambda swarm: swarm.update({"ID": "x", "Version": {"Index": 1}}, {}),
    "remove": lambda swarm: swarm.remove("x"),
    "services": lambda swarm: swarm.services("x"),
    "tasks": lambda swarm: swarm.tasks("x"),
    "tasks_labelled": lambda swarm: swarm.tasks_labelled("x"),
    "log": lambda swarm: list(swarm.log("x", 1)),
    "down": lambda swarm: swarm.down("x"),
}


def asked_by(pman: Any) -> list[str]:
    """What this pman asks the engine from now on."""
    asked: list[str] = []

    def note(answer: Any, **_: Any) -> None:
        path = re.sub(r"^/v[\d.]+|\?.*", "", answer.request.path_url)
        name = r"(?<=^/services/)(?!create)[^/]+|(?<=^/(?:tasks|nodes)/)[^/]+"
        asked.append(f"{answer.request.method} {re.sub(name, 'X', path)}")

    pman._engine.api().hooks["response"].append(note)
    return asked


def test_the_engine_is_asked_little(harness: SwarmKit) -> None:
    pman = harness.pman()
    harness.run(harness.shell("true"), pman)  # the first one also finds out what the engine is
    asked = asked_by(pman)
    job = harness.shell("echo x")
    pman.pman_submit(job)
    assert asked == ["POST /services/create"]
    info = harness.end_of(pman, job.jid)
    asked.clear()
    pman.pman_status(job.jid)
    assert asked == ["GET /services/X", "GET /tasks"]
    asked.clear()
    pman.pman_logs(info, 10, 1000)
    assert asked == ["GET /tasks", "GET /nodes/X", "GET /tasks/X/logs"]
    asked.clear()
    assert pman.pman_submit(job) == info
    assert asked == ["POST /services/create", "GET /services/X", "GET /tasks"]


def test_a_list_takes_two_calls_and_one_for_the_time(harness: SwarmKit) -> None:
    """However many jobs there are, and though some of them wait."""
    pman = harness.pman()
    for _ in range(3):
        harness.run(harness.shell("true"), pman)
    asked = asked_by(pman)
    assert len(pman.pman_list(JobFilter(), 100, None).jobs) == 3
    assert asked == ["GET /tasks", "GET /services"]
    nowhere = harness.pman(NODE_SELECTOR="pman.no=such")
    for _ in range(3):
        nowhere.pman_submit(harness.shell("true"))
    asked.clear()
    assert len(pman.pman_list(JobFilter(), 100, None).jobs) == 6
    assert asked == ["GET /tasks", "GET /services", "GET /info"]


def test_every_call_of_the_client_is_tested() -> None:
    assert SWARM_CALLS.keys() == {name for name in vars(SwarmClient) if not name.startswith("_")}


def behind(harness: SwarmKit, proxy: Proxy, timeout_s: int = 30) -> Any:
    return harness.pman(DOCKER_HOST=f"unix://{proxy._listen}", ENGINE_TIMEOUT=str(timeout_s))


def hurry(pman: Any) -> None:
    """Connect, and only then wait less: an engine that answers may be slow."""
    pman._engine.api().timeout = 2


@pytest.mark.parametrize("fault", [Proxy.freeze, Proxy.drip])
def test_every_call_has_a_time_out(
    harness: SwarmKit, manager_proxy: Proxy, fault: Callable[[Proxy], None]
) -> None:
    pman = behind(harness, manager_proxy)
    hurry(pman)
    fault(manager_proxy)
    with ThreadPoolExecutor(len(SWARM_CALLS)) as pool:
        asked = {name: pool.submit(call, pman._swarm) for name, call in SWARM_CALLS.items()}
        told = {name: future.exception(timeout=60) for name, future in asked.items()}
    assert {name: type(error) for name, error in told.items()} == dict.fromkeys(
        SWARM_CALLS, EngineUnavailableError
    )
    assert all("did not answer in time" in str(error) for error in told.values()), told


@pytest.mark.parametrize("known", [False, True], ids=["unconnected", "connected"])
def test_every_hook_has_a_time_out(harness: SwarmKit, manager_proxy: Proxy, known: bool) -> None:
    job, late = harness.shell("true"), harness.shell("true")
    info = harness.run(job)
    pman = behind(harness, manager_proxy, 30 if known else 2)
    if known:
        pman.pman_ping()
        hurry(pman)
    manager_proxy.freeze()
    hooks: list[Callable[[], object]] = [
        lambda: pman.pman_status(job.jid),
        lambda: pman.pman_submit(late),
        lambda: pman.pman_logs(info, 10, 1000),
        lambda: pman.pman_remove(job.jid),
        lambda: pman.pman_list(JobFilter(), 10, None),
        lambda: pman.pman_ping(),
        lambda: pman.pman_resume(),
    ]
    with ThreadPoolExecutor(len(hooks)) as pool:
        asked = [pool.submit(hook) for hook in hooks]
        told = [type(future.exception(timeout=60)) for future in asked]
    assert told == [EngineUnavailableError] * len(hooks)
    manager_proxy.thaw()
    assert until(lambda: harness.pman().pman_status(job.jid), bool).status is Status.SUCCEEDED
