"""Which engines pman can work with, and what it declares."""

from typing import Any

import pytest
from engine_subjects import address
from engine_subjects import why_missing as why_docker_is_missing
from swarm_kit import SwarmKit
from swarm_subjects import RealSwarm

from pman_core import Deviation, HostPath, NfsPath, Option
from pman_core.contract.errors import EngineUnavailableError
from pman_core.testing.pytest_plugin import Engines
from pman_swarm.backend import SwarmBackend
from pman_swarm.client import _problem


def swarm(state: str = "active", error: str = "", *, manager: bool = True) -> dict[str, Any]:
    """What a node says of its swarm, as far as it matters here."""
    return {
        "LocalNodeState": state,
        "ControlAvailable": manager,
        "NodeID": "n1",
        "Error": error,
    }


@pytest.mark.parametrize("version", ["1.41", "1.44", "2.0"])
def test_a_manager_is_no_problem(version: str) -> None:
    assert _problem({"ApiVersion": version}, swarm()) is None


@pytest.mark.parametrize(
    ("version", "found", "words"),
    [
        ("1.40", swarm(), "has API 1.40; pman needs 1.41"),
        ("1.9", swarm(), "has API 1.9"),
        ("1.41", {}, "is in no swarm"),
        ("1.41", swarm("inactive", manager=False), "is in no swarm"),
        ("1.41", swarm(manager=False), "is a worker"),
        ("1.41", swarm("locked", "use swarm unlock", manager=False), "locked (use swarm unlock)"),
        ("1.41", swarm("error", "bad certificate", manager=False), "error (bad certificate)"),
        ("1.41", swarm("pending", manager=False), "its state is pending"),
        ("1.41", swarm(error="there is no leader"), "active (there is no leader)"),
    ],
)
def test_what_cannot_run_jobs_is_reported_with_what_to_do(
    version: str, found: dict[str, Any], words: str
) -> None:
    assert words in str(_problem({"ApiVersion": version}, found))


def test_an_engine_that_does_not_say_its_version_is_too_old() -> None:
    assert "too old" in str(_problem({}, swarm()))


def test_what_it_refuses_and_what_it_does_less_well() -> None:
    found = SwarmBackend({}).pman_capabilities()
    assert found.mounts == {HostPath, NfsPath}
    assert found.refusals.keys() == {Option.TIME_LIMIT}
    assert found.deviations.keys() == {
        Deviation.LATE_LINKS_OUT,
        Deviation.LATE_LINKS_WITHIN,
        Deviation.LOG_ORDER,
        Deviation.SWAP_NOT_LIMITED,
        Deviation.OOM_NOT_REPORTED,
        Deviation.PULL_NOT_RETRIED,
        Deviation.WORKDIR_MADE,
        Deviation.START_NOT_REPORTED,
        Deviation.PRIVILEGES_GAINABLE,
    }


def test_a_worker_node_is_reported_as_no_manager(two_nodes: RealSwarm, harness: SwarmKit) -> None:
    pman = harness.pman(DOCKER_HOST=two_nodes.hosts[1])
    for ask in (pman.pman_ping, pman.pman_resume, lambda: pman.pman_submit(harness.shell("true"))):
        with pytest.raises(EngineUnavailableError, match="is a worker of its swarm"):
            ask()
    with pytest.raises(EngineUnavailableError, match="not a swarm manager"):
        pman.pman_status("x")


def test_an_engine_without_a_swarm_is_reported(engines: Engines, harness: SwarmKit) -> None:
    engines.need("docker", why_docker_is_missing("docker"))
    with pytest.raises(EngineUnavailableError, match="is in no swarm"):
        harness.pman(DOCKER_HOST=address("docker")).pman_ping()


def test_the_swarm_is_named(harness: SwarmKit) -> None:
    assert harness.pman().pman_ping().startswith("swarm of Docker ")


def test_a_manager_that_is_none_any_more_is_reported_when_it_is_asked_for(
    two_nodes: RealSwarm, harness: SwarmKit
) -> None:
    pman = harness.pman(DOCKER_HOST=two_nodes.hosts[1])
    pman._swarm._node = harness.pman()._swarm.node()  # as it was when pman began
    with pytest.raises(EngineUnavailableError, match="is a worker of its swarm"):
        pman.pman_ping()
