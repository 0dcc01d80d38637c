"""The swarm, and what tests make on it."""

import gc
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_subjects import forget_sockets
from proxies import Proxy, proxy
from swarm_kit import SwarmKit, kit_on_swarm
from swarm_subjects import RealSwarm, real_swarm, why_missing

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


@pytest.fixture(scope="session")
def swarm(engines: Engines) -> Iterator[RealSwarm]:
    """A swarm, of two nodes where ``engines/up swarm`` made it."""
    engines.need("swarm", why_missing())
    with real_swarm() as found:
        yield found


@pytest.fixture
def two_nodes(swarm: RealSwarm, engines: Engines) -> RealSwarm:
    """A swarm with a worker node, whose engine tests can reach too."""
    missing = "PMAN_SWARM_WORKER_HOST is not set; run engines/up swarm"
    engines.need("swarm", None if len(swarm.nodes) > 1 else missing)
    return swarm


@pytest.fixture
def harness(swarm: RealSwarm, tmp_path: Path) -> Iterator[SwarmKit]:
    """The tools of a test; all that it made goes away with it."""
    with kit_on_swarm(swarm, tmp_path) as made:
        yield made


@pytest.fixture
def manager_proxy(swarm: RealSwarm) -> Iterator[Proxy]:
    """Stands between pman and the manager."""
    socket = f"/tmp/pman-{uuid.uuid4().hex[:8]}.sock"  # a path of tmp_path may be too long
    try:
        with proxy(swarm.host.removeprefix("unix://"), socket) as made:
            yield made
    finally:
        Path(socket).unlink(missing_ok=True)
        gc.collect()  # see SDK_LEAVES_SOCKETS
