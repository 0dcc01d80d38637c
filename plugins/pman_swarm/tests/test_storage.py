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
def volume(bench: SwarmKit) -> Iterator[str]:
    name = f"pman-test-{uuid.uuid4().hex[:8]}"
    bench.swarm.manager.create_volume(name)
    try:
        yield name
    finally:
        bench.clean_up()
        bench.swarm.manager.remove_volume(name, force=True)


def test_a_job_works_in_the_volume(bench: SwarmKit, volume: str) -> None:
    pman = bench.pman(VOLUME_NAME=volume, NODE_SELECTOR=FIRST)
    found = pman.pman_resolve_storage("docker_local_volume")
    assert found.kind is HostPath
    found.check()
    folder = Path(bench.swarm.manager.inspect_volume(volume)["Mountpoint"])
    for part in ("in", "out"):
        (folder / part).mkdir()
    (folder / "in" / "given").write_text("words")
    job = bench.shell("cat /share/incoming/given > /share/outgoing/made")
    info = bench.run(attrs.evolve(job, mounts=found.mounts("in", "out")), pman)
    assert info.status is Status.SUCCEEDED, info
    assert (folder / "out" / "made").read_text() == "words"


def test_a_volume_that_is_not_there_is_reported(bench: SwarmKit) -> None:
    found = bench.pman(VOLUME_NAME="pman-no-such").pman_resolve_storage("docker_local_volume")
    with pytest.raises(EngineUnavailableError, match="no volume 'pman-no-such'"):
        found.mounts("a", "b")


def test_other_types_are_others(bench: SwarmKit) -> None:
    assert bench.pman().pman_resolve_storage("host") is None
