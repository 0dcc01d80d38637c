"""Podman behind ``CONTAINER_ENV=docker``, as pman 6 advised it: it works, and pman says so."""

import json
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from engine_kit import EngineKit, kit_on, runs
from engine_standin import Play, job, play
from engine_subjects import SDK_LEAVES_SOCKETS, address, forget_sockets, real_engine, why_missing

from pman_core import JobFilter, Mount, NfsPath, Resources, Status
from pman_core._internal.environment import Environment, read_environment
from pman_core.cli.check import findings
from pman_core.contract.errors import EngineUnavailableError, UnsupportedError
from pman_core.testing.pytest_plugin import Engines
from pman_docker.backend import DockerBackend, PodmanBackend

pytestmark = pytest.mark.filterwarnings(SDK_LEAVES_SOCKETS)

HINT = "set CONTAINER_ENV=podman"


@pytest.fixture
def adopted() -> Iterator[Play]:
    """The backend docker on a played Podman."""
    with play("docker") as made:
        made.engine.name = "podman"
        yield made


def hints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if HINT in record.getMessage()]


def body(made: Play) -> dict[str, Any]:
    """The last request to create a container."""
    found: dict[str, Any] = json.loads(made.engine.created)
    return found


# ----------------------------------------------------------------- which requests it gets


def test_podman_is_spoken_to_in_its_own_words(adopted: Play) -> None:
    assert adopted.pman.pman_submit(job()).status is Status.STARTED
    assert body(adopted)["image"] == "here:1"
    adopted.pman.pman_submit(job("bb", image="far:1"))
    adopted.until_quiet()
    assert body(adopted)["image"] == "far:1"
    assert [info.status for info in adopted.pman.pman_list(JobFilter(), 10, None).jobs] == [
        Status.STARTED
    ] * 2


def test_what_is_declared_does_not_depend_on_the_engine(adopted: Play) -> None:
    declared = adopted.pman.pman_capabilities()
    adopted.pman.pman_submit(job())
    assert adopted.pman.pman_capabilities() == declared
    assert declared == DockerBackend({}).pman_capabilities()


def test_the_log_says_it_once(adopted: Play, caplog: pytest.LogCaptureFixture) -> None:
    adopted.pman.pman_resume()
    for jid in ("aa", "bb", "cc"):
        adopted.pman.pman_submit(job(jid))
    (line,) = hints(caplog)
    assert "Podman 1" in line
    assert caplog.records[0].levelno == logging.WARNING


def test_a_docker_needs_no_hint(caplog: pytest.LogCaptureFixture) -> None:
    with play("docker") as made:
        made.pman.pman_resume()
        made.pman.pman_submit(job())
        assert "note" not in made.pman.pman_ping()
    assert not hints(caplog)


def test_podman_does_not_take_docker_for_podman(caplog: pytest.LogCaptureFixture) -> None:
    with play("podman") as made:
        made.engine.name = "docker"
        for hook in (
            made.pman.pman_ping,
            made.pman.pman_resume,
            lambda: made.pman.pman_submit(job()),
        ):
            with pytest.raises(EngineUnavailableError, match="set CONTAINER_ENV=docker"):
                hook()
        assert made.engine.names() == []


# ----------------------------------------------------------------- what Podman refuses


@pytest.mark.parametrize("image", ["here:1", "far:1"])
def test_what_podman_cannot_do_is_refused_when_it_is_asked_for(adopted: Play, image: str) -> None:
    plain = job(image=image)
    with pytest.raises(UnsupportedError) as caught:
        adopted.pman.pman_submit(attrs.evolve(plain, resources=Resources(gpus=1)))
    assert set(caught.value.faults) == {"gpu_limit"}
    nfs = Mount(source=NfsPath("server", "/data"), target="/share/incoming", read_only=True)
    with pytest.raises(UnsupportedError, match="STORAGE_TYPE"):
        adopted.pman.pman_submit(attrs.evolve(plain, mounts=(nfs,)))
    assert adopted.engine.names() == []


def test_a_job_that_waits_while_podman_takes_dockers_place_ends_with_a_message() -> None:
    with play("docker") as made:
        made.engine.pulled = {"error": "received unexpected HTTP status: 503"}
        made.pman.pman_submit(attrs.evolve(job(image="far:1"), resources=Resources(gpus=1)))
        made.until_quiet()
        made.engine.name = "podman"
        made.engine.pulled = {}
        made.pman._reconciler._starter._failed._last.clear()  # or it would wait for ten seconds
        made.pman.pman_status("aa")
        made.until_quiet()
        info = made.pman.pman_status("aa")
    assert info.status is Status.FAILED
    assert "gpu_limit: is not supported by Podman" in info.message


@pytest.mark.parametrize(("before", "after"), [("docker", "podman"), ("podman", "docker")])
@pytest.mark.parametrize("image", ["here:1", "far:1"])
def test_an_engine_that_is_replaced_gets_no_container_in_the_words_of_the_other(
    before: str, after: str, image: str
) -> None:
    """Nothing but the submission itself tells that it was replaced."""
    with play("docker") as made:
        made.engine.name = before
        made.pman.pman_submit(job("bb"))
        made.engine.name = after
        with pytest.raises(EngineUnavailableError, match="taken the place"):
            made.pman.pman_submit(job(image=image))
        assert made.engine.names() == ["bb"]
        made.pman.pman_submit(job(image=image))
        made.until_quiet()
        assert ("image" in body(made)) == (after == "podman")
        assert made.pman.pman_status("aa").status is Status.STARTED


# ------------------------------------------------------------------- where it listens


def listening(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def test_podman_is_looked_for_where_pman_6_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, own = tmp_path / "docker.sock", tmp_path / "podman" / "podman.sock"
    monkeypatch.setattr("pman_docker.flavors._DOCKER_SOCKET", str(usual))
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), "ENGINE_TIMEOUT": "2"}
    with pytest.raises(EngineUnavailableError, match="set DOCKER_HOST") as caught:
        PodmanBackend(environ).pman_ping()
    assert str(own) in str(caught.value)
    for path in (usual, own):  # its own place comes first
        listening(path)
        assert PodmanBackend(environ)._engine.address == f"unix://{path}"
    elsewhere = {**environ, "DOCKER_HOST": "tcp://engine:2375"}
    assert PodmanBackend(elsewhere)._engine.address == "tcp://engine:2375"


# ----------------------------------------------------------------------- on the real one


@pytest.fixture
def podman_harness(engines: Engines, tmp_path: Path) -> Iterator[EngineKit]:
    """``CONTAINER_ENV=docker`` at Podman's socket."""
    engines.need("podman", why_missing("podman"))
    engine = attrs.evolve(real_engine("podman"), name="docker")
    with kit_on(engine, tmp_path) as made:
        yield made
    engine.api.close()
    forget_sockets()


def test_podman_runs_the_jobs_of_docker(podman_harness: EngineKit) -> None:
    place = podman_harness.place()
    assert podman_harness.run(podman_harness.count(place)).status is Status.SUCCEEDED
    assert runs(place) == 1


def test_check_says_that_it_is_podman_and_what_to_set(engines: Engines, tmp_path: Path) -> None:
    engines.need("podman", why_missing("podman"))
    found = {"STORAGE_TYPE": "host", "STOREBASE": str(tmp_path), "DOCKER_HOST": address("podman")}
    told = [one.text for one in findings(environment(found)) if one.text.startswith("engine:")]
    assert "Podman" in told[0]
    assert f"note: {HINT}" in told[0]
    told = [one.text for one in findings(environment({**found, "CONTAINER_ENV": "podman"}))]
    assert not [text for text in told if HINT in text]
    forget_sockets()


def environment(variables: dict[str, str]) -> Environment:
    return read_environment(variables, Path("/nonexistent"))
