"""An engine that takes connections and never answers holds nobody up for ever."""

import inspect
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from engine_kit import EngineKit
from engine_subjects import SDK_LEAVES_SOCKETS
from proxies import Proxy

from pman_core import JobFilter, Status
from pman_core.contract.errors import EngineUnavailableError
from pman_docker import images
from pman_docker.backend import DockerBackend
from pman_docker.client import Engine

pytestmark = pytest.mark.filterwarnings(SDK_LEAVES_SOCKETS)

#: Every call that the client of the engine has.
ENGINE_CALLS: dict[str, Callable[[Engine], object]] = {
    "ping": lambda engine: engine.ping(),
    "post": lambda engine: engine.post("/containers/create", {}),
    "get": lambda engine: engine.get("/x"),
    "delete": lambda engine: engine.delete("/x"),
    "log_of": lambda engine: list(engine.log_of("/x", 1)),
    "start": lambda engine: engine.start("x"),
    "inspect": lambda engine: engine.inspect("x"),
    "kill": lambda engine: engine.kill("x"),
    "remove": lambda engine: engine.remove("x"),
    "remove_wholly": lambda engine: engine.remove_wholly("x"),
    "now": lambda engine: engine.now(),
    "events": lambda engine: list(engine.events(0, 0, ["x"], lambda: None)),
    "labelled": lambda engine: engine.labelled("x"),
    "log": lambda engine: list(engine.log("x", 1)),
    "log_start": lambda engine: engine.log_start("x", 1),
    "images.pull": lambda engine: images.pull(engine, "localhost:1/x:1", 1),
    "labels_of_image": lambda engine: engine.labels_of_image("x"),
    "images.load": lambda engine: images.load(engine, b"x"),
    "volume": lambda engine: engine.volume("x"),
    "info": lambda engine: engine.info(),
    "about": lambda engine: engine.about(),
}
NO_CALLS = {"api", "address", "ask", "images.login"}


def behind(harness: EngineKit, proxy: Proxy) -> DockerBackend:
    """A pman that gives up soon: too soon to run jobs on a busy engine."""
    return harness.pman(DOCKER_HOST=f"unix://{proxy._listen}", ENGINE_TIMEOUT="5", PULL_TIMEOUT="5")


def test_every_call_of_the_client_is_tested() -> None:
    calls = {name for name in [*vars(Engine), "address"] if not name.startswith("_")}
    of_images = {
        f"images.{name}"
        for name, function in inspect.getmembers(images, inspect.isfunction)
        if function.__module__ == images.__name__ and not name.startswith("_")
    }
    assert ENGINE_CALLS.keys() | NO_CALLS == calls | of_images


@pytest.mark.parametrize("fault", [Proxy.freeze, Proxy.drip])
@pytest.mark.parametrize("known", [False, True], ids=["unconnected", "connected"])
def test_every_call_has_a_time_out(
    harness: EngineKit, engine_proxy: Proxy, known: bool, fault: Callable[[Proxy], None]
) -> None:
    pman = behind(harness, engine_proxy)
    if known:
        pman._engine.ping()
    fault(engine_proxy)
    with ThreadPoolExecutor(len(ENGINE_CALLS)) as pool:
        asked = {name: pool.submit(call, pman._engine) for name, call in ENGINE_CALLS.items()}
        told = {name: future.exception(timeout=60) for name, future in asked.items()}
    assert {name: type(error) for name, error in told.items()} == dict.fromkeys(
        ENGINE_CALLS, EngineUnavailableError
    )
    assert all("did not answer in time" in str(error) for error in told.values()), told


@pytest.mark.parametrize("fault", [Proxy.freeze, Proxy.drip])
def test_every_hook_has_a_time_out(
    harness: EngineKit, engine_proxy: Proxy, fault: Callable[[Proxy], None]
) -> None:
    job, late = harness.shell("true"), harness.shell("true")
    info = harness.run(job)
    pman = behind(harness, engine_proxy)
    pman.pman_ping()  # now it knows the engine, and each hook gets as far as its own calls
    fault(engine_proxy)
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
    engine_proxy.thaw()
    assert harness.end_of(harness.pman(), job.jid).status is Status.SUCCEEDED


def test_a_log_that_stops_in_the_middle_is_given_up(
    harness: EngineKit, engine_proxy: Proxy
) -> None:
    job = harness.job("python3", "-c", "for _ in range(50): print('x' * 100000)")
    info = harness.run(job)
    pman = behind(harness, engine_proxy)
    pman.pman_ping()
    engine_proxy.rate = 1_000_000
    frozen = threading.Timer(0.5, engine_proxy.freeze)
    frozen.start()
    with pytest.raises(EngineUnavailableError, match="in time"):
        pman.pman_logs(info, 1000, 5_000_000)


def test_a_log_that_comes_too_slowly_is_given_up(harness: EngineKit, engine_proxy: Proxy) -> None:
    info = harness.run(harness.job("python3", "-c", "print('x' * 1_000_000)"))
    pman = behind(harness, engine_proxy)
    pman.pman_ping()
    engine_proxy.rate = 100_000
    with pytest.raises(EngineUnavailableError, match="in time"):
        pman.pman_logs(info, 1000, 5_000_000)


def test_many_threads_do_not_wait_for_each_other(
    harness: EngineKit, engine_proxy: Proxy, tmp_path: Path
) -> None:
    """Eight requests to an engine that never answers take one time-out, not eight."""
    engine_proxy.freeze()
    pman = harness.pman(DOCKER_HOST=f"unix://{engine_proxy._listen}", ENGINE_TIMEOUT="10")
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(pman.pman_status, "x") for _ in range(8)]
        assert all(future.exception() for future in asked)
    assert time.monotonic() - begun < 40  # one after the other it would be 80
