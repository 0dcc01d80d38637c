"""The engines, and what tests make on them."""

import gc
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_kit import EngineKit, kit_on
from engine_subjects import RealEngine, forget_sockets, real_engine, why_missing
from proxies import Proxy, proxy

from pman_core.testing.pytest_plugin import Engines


@pytest.fixture(scope="module", autouse=True)
def no_sockets_left() -> Iterator[None]:
    """See ``forget_sockets``, lest a test of another module fails for them."""
    yield
    forget_sockets()


@pytest.fixture(scope="module", autouse=True)
def no_sockets_left_for_the_next_module(request: pytest.FixtureRequest) -> Iterator[None]:
    """A module that has ``SDK_LEAVES_SOCKETS`` does not make the next one fail."""
    yield
    if hasattr(request.module, "SDK_LEAVES_SOCKETS"):
        forget_sockets()


@pytest.fixture(params=["docker", "podman"])
def engine(request: pytest.FixtureRequest, engines: Engines) -> Iterator[RealEngine]:
    """Each of the two engines."""
    engines.need(request.param, why_missing(request.param))
    found = real_engine(request.param)
    yield found
    found.api.close()


@pytest.fixture
def docker(engines: Engines) -> Iterator[RealEngine]:
    """Docker alone."""
    engines.need("docker", why_missing("docker"))
    found = real_engine("docker")
    yield found
    found.api.close()


@pytest.fixture
def harness(engine: RealEngine, tmp_path: Path) -> Iterator[EngineKit]:
    """The tools of a test on each engine; all that it made goes away with it."""
    with kit_on(engine, tmp_path) as made:
        yield made


@pytest.fixture
def docker_harness(docker: RealEngine, tmp_path: Path) -> Iterator[EngineKit]:
    """Likewise, on Docker alone."""
    with kit_on(docker, tmp_path) as made:
        yield made


@pytest.fixture
def engine_proxy(engine: RealEngine, tmp_path: Path) -> Iterator[Proxy]:
    """Stands between pman and the engine."""
    socket = f"/tmp/pman-{uuid.uuid4().hex[:8]}.sock"  # a path of tmp_path may be too long
    try:
        with proxy(engine.host.removeprefix("unix://"), socket) as made:
            yield made
    finally:
        Path(socket).unlink(missing_ok=True)
        gc.collect()  # see SDK_LEAVES_SOCKETS
