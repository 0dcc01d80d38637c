"""An engine that is upgraded, downgraded or replaced behind its address, while pman runs on."""

import json
import os
from collections.abc import Callable

import attrs
import pytest
from engine_kit import EngineKit
from engine_standin import Play, job, play
from engine_subjects import SDK_LEAVES_SOCKETS, address, why_missing
from proxies import Proxy

from pman_core import Job, JobFilter, Status
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_core.contract.storage import host_storage
from pman_core.testing.pytest_plugin import Engines

pytestmark = pytest.mark.filterwarnings(SDK_LEAVES_SOCKETS)

VERSIONS = pytest.mark.parametrize("versions", [(12, 40), (44, 51)], ids=["older", "newer"])

HOOKS: dict[str, Callable[[Play], object]] = {
    "status": lambda made: made.pman.pman_status("aa"),
    "submit": lambda made: made.pman.pman_submit(job("bb")),
    "submit-pulling": lambda made: made.pman.pman_submit(job("bb", image="far:1")),
    "remove": lambda made: made.pman.pman_remove("aa"),
    "list": lambda made: made.pman.pman_list(JobFilter(), 10, None),
    "ping": lambda made: made.pman.pman_ping(),
    "resume": lambda made: made.pman.pman_resume(),
}


@VERSIONS
@pytest.mark.parametrize("hook", HOOKS)
def test_other_versions_of_the_api_are_no_fault(hook: str, versions: tuple[int, int]) -> None:
    with play() as made:
        made.pman.pman_submit(job())
        made.engine.versions = versions
        HOOKS[hook](made)


@VERSIONS
def test_a_container_is_started_once_by_another_version(versions: tuple[int, int]) -> None:
    with play() as made:
        made.pman.pman_ping()
        made.engine.versions = versions
        assert made.pman.pman_submit(job()).status is Status.STARTED
        assert made.engine.started == ["aa"]


def test_an_engine_that_never_takes_the_version_that_it_names_is_no_loop() -> None:
    with play() as made:
        made.pman.pman_ping()
        made.engine.fail("GET /info", "client version 1.41 is too old", code=400, times=-1)
        made.engine.asked.clear()
        with pytest.raises(EngineUnavailableError, match="too old"):
            made.pman._engine.about()
        assert made.engine.count("GET /info") == 2


def test_what_an_engine_is_is_asked_again_where_it_was_replaced() -> None:
    with play() as made:
        made.pman.pman_submit(job())
        for name in ("podman", "docker"):  # Podman takes every version
            made.engine.name = name
            made.pman.pman_status("aa")
            assert made.pman.pman_submit(job(name)).status is Status.STARTED
            assert made.pman._engine.info().name.lower() == name


# --------------------------------------------------------- parts of volumes


def with_directories(jid: str = "aa") -> Job:
    return attrs.evolve(job(jid), mounts=host_storage("/base").mounts("in", "out"))


def mounted(made: Play) -> list[tuple[str, str | None]]:
    """What the last container mounts: the kind, and which part of a volume."""
    mounts = json.loads(made.engine.created)["HostConfig"]["Mounts"]
    return [(one["Type"], one.get("VolumeOptions", {}).get("Subpath")) for one in mounts]


BOUND = [("bind", None), ("bind", None)]
PARTS = [("volume", "in"), ("volume", "out")]


@pytest.mark.parametrize("says_so", [True, False], ids=["it says so", "a proxy hides it"])
def test_no_older_engine_is_asked_for_part_of_a_volume(says_so: bool) -> None:
    """It would mount the whole volume."""
    with play() as made:
        made.engine.versions = (24, 45)
        assert made.pman.pman_submit(with_directories()).status is Status.STARTED
        assert mounted(made) == PARTS
        made.engine.versions, made.engine.version = (24, 41), "0" if says_so else "1"
        with pytest.raises(EngineUnavailableError, match="another version of engine has just"):
            made.pman.pman_submit(with_directories("bb"))
        assert made.engine.names() == ["aa"]
        assert made.pman.pman_submit(with_directories("bb")).status is Status.STARTED
        assert mounted(made) == BOUND
        assert made.pman.pman_status("aa").status is Status.STARTED


def test_a_newer_engine_gets_parts_of_volumes_at_once() -> None:
    with play() as made:
        assert made.pman.pman_submit(with_directories()).status is Status.STARTED
        assert mounted(made) == BOUND
        made.engine.versions, made.engine.version = (44, 51), "2"
        made.pman.pman_status("aa")
        assert made.pman.pman_submit(with_directories("bb")).status is Status.STARTED
        assert mounted(made) == PARTS
        assert made.pman.pman_status("aa").status is Status.STARTED


@pytest.mark.parametrize("podman", ["4.3.1", "5.4.2"])
def test_podman_in_dockers_place_is_not_asked_in_dockers_words(podman: str) -> None:
    """Its API of Docker ignores which part of a volume is meant."""
    with play() as made:
        made.engine.versions = (24, 45)
        made.pman.pman_submit(with_directories())
        made.engine.name, made.engine.version = "podman", podman
        with pytest.raises(EngineUnavailableError, match="taken the place"):
            made.pman.pman_submit(with_directories("bb"))
        assert made.engine.names() == ["aa"]
        assert made.pman.pman_submit(with_directories("bb")).status is Status.STARTED
        body = json.loads(made.engine.created)
        assert [one["SubPath"] for one in body["volumes"]] == ["in", "out"] * (podman > "5")


def test_an_engine_that_refuses_the_volume_is_no_fault_of_the_job() -> None:
    with play() as made:
        made.engine.versions = (24, 45)
        made.engine.fail("POST /volumes/create", "no permission", code=403, times=2)
        with pytest.raises(EngineUnavailableError, match="leads to /base: no permission"):
            made.pman.pman_submit(with_directories())
        assert made.engine.names() == []
        assert made.pman.pman_submit(with_directories()).status is Status.STARTED


# ------------------------------------------------------------------ real engines


def use(harness: EngineKit, proxy: Proxy, other: str) -> str:
    """Jobs on an engine, then on another one, then on the first again; what the other one is."""
    pman = harness.pman(DOCKER_HOST=f"unix://{proxy._listen}")
    place = harness.place()
    submitted = harness.count(place)
    assert harness.run(submitted, pman).status is Status.SUCCEEDED
    proxy.lead_to(other.removeprefix("unix://"))
    with pytest.raises(UnknownJobError):
        pman.pman_status(submitted.jid)
    assert pman.pman_list(JobFilter(), 10, None).jobs == ()
    told = pman._engine.info().title
    proxy.lead_to(harness.engine.host.removeprefix("unix://"))
    assert pman.pman_status(submitted.jid).status is Status.SUCCEEDED
    assert pman.pman_submit(submitted).status is Status.SUCCEEDED
    assert harness.run(harness.count(place), pman).status is Status.SUCCEEDED
    return told


def test_docker_and_podman_behind_one_address(
    harness: EngineKit, engine_proxy: Proxy, engines: Engines
) -> None:
    other = {"docker": "podman", "podman": "docker"}[harness.engine.name]
    engines.need(other, why_missing(other))
    assert use(harness, engine_proxy, address(other)).lower().startswith(other)


def test_two_dockers_behind_one_address(docker_harness: EngineKit, engines: Engines) -> None:
    """Of different versions, where DOCKER_HOST is a newer one than the swarm's."""
    other = os.environ.get("PMAN_SWARM_HOST")
    engines.need("swarm", None if other else "PMAN_SWARM_HOST is not set; run engines/up swarm")
    assert other
    listen = f"/tmp/{docker_harness.instance}.sock"
    proxy = Proxy(docker_harness.engine.host.removeprefix("unix://"), listen)
    try:
        assert use(docker_harness, proxy, other).startswith("Docker")
    finally:
        proxy.close()
        os.unlink(listen)
