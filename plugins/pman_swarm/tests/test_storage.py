"""The storage type docker_local_volume, on the node that pman talks to."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from swarm_kit import FIRST, SwarmKit

from pman_core import HostPath, Status
from pman_core.contract.errors import EngineUnavailableError


@pytest.fixture
def volume(harness: SwarmKit) -> Iterator[str]:
    name = f"pman-test-{uuid.uuid4().hex[:8]}"
    harness.swarm.manager.create_volume(name)
    try:
        yield name
    finally:
        harness.clean_up()
        harness.swarm.manager.remove_volume(name, force=True)


def test_a_job_works_in_the_volume(harness: SwarmKit, volume: str) -> None:
    pman = harness.pman(VOLUME_NAME=volume, NODE_SELECTOR=FIRST)
    found = pman.pman_resolve_storage("docker_local_volume")
    assert found.kind is HostPath
    found.check()
    folder = Path(harness.swarm.manager.inspect_volume(volume)["Mountpoint"])
    for part in ("in", "out"):
        (folder / part).mkdir()
    (folder / "in" / "given").write_text("words")
    job = harness.shell("cat /share/incoming/given > /share/outgoing/made")
    info = harness.run(attrs.evolve(job, mounts=found.mounts("in", "out")), pman)
    assert info.status is Status.SUCCEEDED, info
    assert (folder / "out" / "made").read_text() == "words"


def test_a_volume_that_is_not_there_is_reported(harness: SwarmKit) -> None:
    found = harness.pman(VOLUME_NAME="pman-no-such").pman_resolve_storage("docker_local_volume")
    with pytest.raises(EngineUnavailableError, match="no volume 'pman-no-such'"):
        found.mounts("a", "b")


def test_other_types_are_others(harness: SwarmKit) -> None:
    assert harness.pman().pman_resolve_storage("host") is None
