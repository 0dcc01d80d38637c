"""Newer engines mount a directory as part of a volume: no link leads a job out of the storebase."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest
from engine_kit import EngineKit
from engine_subjects import SDK_LEAVES_SOCKETS, RealEngine, subject_of, why_no_parts

from pman_core import Job, Status
from pman_core.contract.errors import EngineUnavailableError
from pman_core.contract.storage import Storage, host_storage
from pman_core.kit.names import INSTANCE_LABEL
from pman_core.kit.serial import job_from_json, job_to_json
from pman_core.testing import BackendConformance, Subject
from pman_core.testing.conformance.harness import Harness
from pman_core.testing.conformance.links import follows_no_late_link
from pman_docker.storebase_volumes import StorebaseVolumes

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings(SDK_LEAVES_SOCKETS)]

HIDDEN = "hidden from you"


@pytest.fixture(autouse=True)
def newer(engine: RealEngine) -> None:
    """Skips where the engine binds directories."""
    why = why_no_parts(engine)
    if why:
        pytest.skip(why)


class TestAttacker:
    """What ``late-links-out`` declares for older engines does not happen on these."""

    harness = BackendConformance.harness

    @pytest.fixture
    def subject(self, engine: RealEngine, tmp_path: Path) -> Iterator[Subject]:
        with subject_of(engine, tmp_path) as subject:
            yield subject

    def test_a_link_made_after_the_submit_does_not_lead_out_of_the_storebase(
        self, harness: Harness
    ) -> None:
        follows_no_late_link(harness, "out")


@pytest.fixture
def storebase(harness: EngineKit) -> Path:
    """A storebase beside which there is a file that no job may read."""
    folder = harness.folder / "store base"
    folder.mkdir()
    (harness.folder / "file").write_text(HIDDEN)
    return folder


def place_in(storebase: Path) -> Path:
    """Two directories of a job."""
    place = storebase / "some feed"
    for part in ("in", "out"):
        (place / part).mkdir(parents=True)
        (place / part).chmod(0o777)
    (place / "in" / "given").write_text("words")
    return place


def job_on(harness: EngineKit, storage: Storage, script: str) -> Job:
    mounts = storage.mounts("some feed/in", "some feed/out")
    return harness.shell(script, mounts=mounts)


def volumes_of(harness: EngineKit) -> list[str]:
    label = f"{INSTANCE_LABEL}={harness.instance}"
    found = harness.engine.api.volumes(filters={"label": label})["Volumes"] or ()
    return [volume["Name"] for volume in found]


def host(storebase: Path, *, follows_links: bool = False) -> Storage:
    return attrs.evolve(host_storage(str(storebase)), follows_links=follows_links)


@pytest.mark.parametrize("part", ["in", "out"])
@pytest.mark.parametrize("target", ["absolute", "../../..", "/"])
def test_a_link_out_of_the_storebase_is_not_mounted(
    harness: EngineKit, storebase: Path, part: str, target: str
) -> None:
    place = place_in(storebase)
    job = job_on(harness, host(storebase), "cat /share/*/file; ls /share/*")
    (place / part).rename(place / "aside")
    (place / part).symlink_to(harness.folder if target == "absolute" else target)
    info = harness.run(job)
    assert HIDDEN.encode() not in harness.log(info)
    assert b"etc" not in harness.log(info)
    if target == "absolute":
        assert info.status is Status.FAILED
        assert "cannot start: " in info.message


def test_the_volume_of_a_storebase_is_made_once_and_holds_no_data(
    harness: EngineKit, storebase: Path
) -> None:
    place = place_in(storebase)
    for number in (1, 2):
        job = job_on(harness, host(storebase), "cp /share/incoming/given /share/outgoing/made")
        info = harness.run(job)
        assert info.status is Status.SUCCEEDED, info
        assert (place / "out" / "made").read_text() == "words"
        (place / "out" / "made").unlink()
        assert harness.pman().pman_remove(job.jid)
        (volume,) = volumes_of(harness)  # a removed job leaves it
        if number == 1:
            harness.engine.api.remove_volume(volume)  # and the next job makes it anew
            assert (place / "in" / "given").read_text() == "words"


def test_several_may_make_the_volume_at_once(harness: EngineKit, storebase: Path) -> None:
    """Podman refuses a volume that is made twice at the same moment."""
    barrier = threading.Barrier(8)

    def made(_: int) -> str:
        volumes = StorebaseVolumes(harness.pman()._engine, harness.instance)
        volumes._engine.api()
        barrier.wait(60)
        return volumes.of(job_on(harness, host(storebase), "true"))[str(storebase)]

    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            (name,) = set(pool.map(made, range(8)))
            assert volumes_of(harness) == [name]
            harness.engine.api.remove_volume(name)


def test_an_empty_directory_gets_nothing_of_the_image(harness: EngineKit, storebase: Path) -> None:
    place = place_in(storebase)
    target = host(storebase).mount("some feed/out", "/etc", read_only=False)
    assert harness.run(harness.shell("ls /etc", mounts=(target,))).status is Status.SUCCEEDED
    assert not {path.name for path in (place / "out").iterdir()} & {"passwd", "group"}


def test_a_volume_that_leads_elsewhere_is_not_used(harness: EngineKit, storebase: Path) -> None:
    place_in(storebase)
    job = job_on(harness, host(storebase), "true")
    assert harness.run(job).status is Status.SUCCEEDED
    assert harness.pman().pman_remove(job.jid)
    (name,) = volumes_of(harness)
    harness.engine.api.remove_volume(name)
    harness.engine.api.create_volume(name)
    try:
        with pytest.raises(EngineUnavailableError, match=f"volume {name} .* remove it"):
            harness.pman().pman_submit(job)
        assert harness.objects() == []
    finally:
        harness.engine.api.remove_volume(name)


def test_a_directory_of_a_named_volume_is_part_of_that_volume(harness: EngineKit) -> None:
    name = f"{harness.instance}-named"
    harness.engine.api.create_volume(name)
    try:
        storage = harness.pman(VOLUME_NAME=name).pman_resolve_storage("docker_local_volume")
        assert storage
        place_in(Path(harness.engine.api.inspect_volume(name)["Mountpoint"]))
        job = job_on(harness, storage, "cat /share/incoming/given")
        info = harness.run(job)
        assert harness.log(info) == b"words"
        mounts = harness.inspect(info.native)["Mounts"]
        assert [mount["Name"] for mount in mounts] == [name] * 2
        assert volumes_of(harness) == []
    finally:
        harness.clean_up()
        harness.engine.api.remove_volume(name)


def test_links_are_followed_where_the_site_wants_that(harness: EngineKit, storebase: Path) -> None:
    place = place_in(storebase)
    storage = host(storebase, follows_links=True)  # STOREBASE_LINKS=follow
    (place / "in").rename(harness.folder / "elsewhere")
    (place / "in").symlink_to(harness.folder / "elsewhere")
    info = harness.run(job_on(harness, storage, "cat /share/incoming/given"))
    assert harness.log(info) == b"words"
    assert {mount["Type"] for mount in harness.inspect(info.native)["Mounts"]} == {"bind"}
    assert volumes_of(harness) == []


def test_a_job_that_an_older_pman_has_accepted_runs(harness: EngineKit, storebase: Path) -> None:
    """It wrote the job down without the storebase, so its directories are bound."""
    place_in(storebase)
    job = job_on(harness, host(storebase, follows_links=True), "cat /share/incoming/given")
    written = re.sub(r', "within": "[^"]*"', "", job_to_json(job))
    assert "within" not in written
    info = harness.run(job_from_json(written))
    assert harness.log(info) == b"words"
