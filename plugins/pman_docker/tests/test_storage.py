"""The storage type docker_local_volume: the volume's own folder is bound."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from engine_kit import EngineKit
from engine_subjects import IMAGE

from pman_core import HostPath, Status, Storage
from pman_core.contract.errors import EngineUnavailableError


@pytest.fixture
def volume(harness: EngineKit) -> Iterator[str]:
    name = f"pman-test-{uuid.uuid4().hex[:8]}"
    harness.engine.api.create_volume(name)
    try:
        yield name
    finally:
        harness.clean_up()
        harness.engine.api.remove_volume(name, force=True)


def storage(harness: EngineKit, **environ: str) -> Storage:
    found = harness.pman(**environ).pman_resolve_storage("docker_local_volume")
    assert found
    return found


@contextlib.contextmanager
def pfcon(harness: EngineKit, volume: str, label: str, target: str) -> Iterator[None]:
    """A container that mounts the volume as pfcon does; it is never started."""
    key, _, value = label.partition("=")
    host = harness.engine.api.create_host_config(mem_limit="64m", binds=[f"{volume}:{target}"])
    made = harness.engine.api.create_container(
        IMAGE, ["x"], labels={key: value}, host_config=host, volumes=[target]
    )
    try:
        yield
    finally:
        harness.engine.api.remove_container(made["Id"], force=True)


def run_on(harness: EngineKit, found: Storage, volume: str) -> None:
    """A job that copies from its input to its output."""
    folder = Path(harness.engine.api.inspect_volume(volume)["Mountpoint"])
    for part in ("some where/in", "some where/out"):
        (folder / part).mkdir(parents=True)
    (folder / "some where/in/given").write_text("words")
    job = harness.shell("cat /share/incoming/given > /share/outgoing/made")
    job = attrs.evolve(job, mounts=found.mounts("some where/in", "some where/out"))
    info = harness.run(job)
    assert info.status is Status.SUCCEEDED, info
    assert (folder / "some where/out/made").read_text() == "words"


def test_a_volume_is_found_by_its_name(harness: EngineKit, volume: str) -> None:
    found = storage(harness, VOLUME_NAME=volume)
    assert found.kind is HostPath
    assert volume in found.description
    found.check()
    run_on(harness, found, volume)


def test_a_volume_is_found_by_pfcons_container(harness: EngineKit, volume: str) -> None:
    label = f"org.example.{uuid.uuid4().hex[:8]}=pfcon"
    found = storage(harness, PFCON_SELECTOR=label)
    with pytest.raises(EngineUnavailableError, match=label):
        found.check()  # pfcon is not there yet: the next look may find it
    with pfcon(harness, volume, label, "/var/local/storeBase"):
        found.check()
        run_on(harness, found, volume)
    found.mounts("a", "b")  # what has been found stays


def test_pfcon_without_the_mount_is_reported(harness: EngineKit, volume: str) -> None:
    label = f"org.example.{uuid.uuid4().hex[:8]}=pfcon"
    with (
        pfcon(harness, volume, label, "/elsewhere"),
        pytest.raises(EngineUnavailableError, match="1 with that label, none with that mount"),
    ):
        storage(harness, PFCON_SELECTOR=label).mounts("a", "b")


def test_a_volume_that_is_not_there_is_reported_and_not_created(harness: EngineKit) -> None:
    found = storage(harness, VOLUME_NAME="pman-no-such-volume")
    with pytest.raises(EngineUnavailableError, match="no volume 'pman-no-such-volume'"):
        found.mounts("a", "b")
    names = [made["Name"] for made in harness.engine.api.volumes()["Volumes"] or ()]
    assert "pman-no-such-volume" not in names


def test_nothing_is_asked_before_a_job_needs_it(harness: EngineKit) -> None:
    pman = harness.pman(DOCKER_HOST="unix:///no/such/socket")
    found = pman.pman_resolve_storage("docker_local_volume")
    assert found
    assert "org.chrisproject.role=pfcon" in found.description


def test_other_types_are_others(harness: EngineKit) -> None:
    assert harness.pman().pman_resolve_storage("host") is None
