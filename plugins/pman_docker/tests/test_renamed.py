"""A container that somebody renamed is the same job; one that has only the labels is none."""

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import attrs
import docker.errors
import pytest
from engine_kit import EngineKit, runs, until
from engine_standin import Play, job, play
from engine_subjects import IMAGE

from pman_core import JobFilter, Status
from pman_core.contract.errors import UnknownJobError
from pman_core.kit.names import INSTANCE_LABEL, JID_LABEL
from pman_docker.labels import OF, second_name

BOTH = pytest.mark.parametrize("name", ["docker", "podman"])

HOLD = "echo run >> /share/outgoing/runs; while [ ! -e /share/outgoing/go ]; do sleep 0.1; done"


def jids(pman: Any) -> list[str]:
    return [info.jid for info in pman.pman_list(JobFilter(), 100, None).jobs]


# ------------------------------------------------------------------ on the real engines


def test_a_renamed_job_goes_on_and_is_removed(harness: EngineKit) -> None:
    place = harness.place()
    held = harness.shell(HOLD, place)
    submitted = harness.pman().pman_submit(held)
    harness.engine.api.rename(harness.name(held.jid), f"by-hand-{held.jid}")
    pman = harness.pman()
    assert pman.pman_status(held.jid).native == submitted.native
    again = pman.pman_submit(held)
    assert (again.status, again.native) == (Status.STARTED, submitted.native)
    absent = attrs.evolve(held, image="localhost:1/no-such/image:1", fingerprint="v1-other")
    assert pman.pman_submit(absent).fingerprint == held.fingerprint
    assert jids(pman) == [held.jid]
    (place / "out" / "go").touch()
    assert harness.end_of(pman, held.jid).status is Status.SUCCEEDED
    assert runs(place) == 1
    assert pman.pman_remove(held.jid)
    assert harness.objects() == []
    with pytest.raises(UnknownJobError):
        pman.pman_status(held.jid)


def test_a_running_job_that_was_renamed_is_ended_by_its_removal(harness: EngineKit) -> None:
    pman, held = harness.pman(), harness.shell(HOLD)
    pman.pman_submit(held)
    harness.engine.api.rename(harness.name(held.jid), f"by-hand-{held.jid}")
    assert pman.pman_remove(held.jid) is True
    assert harness.objects() == []
    assert pman.pman_remove(held.jid) is False


def test_what_took_the_name_of_a_renamed_job_is_left_alone(harness: EngineKit) -> None:
    pman, done = harness.pman(), harness.shell("true")
    harness.run(done, pman)
    harness.engine.api.rename(harness.name(done.jid), f"by-hand-{done.jid}")
    host = harness.engine.api.create_host_config(mem_limit="64m")
    foreign = harness.engine.api.create_container(
        IMAGE, ["x"], name=harness.name(done.jid), host_config=host
    )["Id"]
    try:
        assert pman.pman_submit(done).status is Status.SUCCEEDED
        assert pman.pman_remove(done.jid)
        assert harness.inspect(foreign)
        with pytest.raises(UnknownJobError):
            pman.pman_status(done.jid)
    finally:
        harness.engine.api.remove_container(foreign, force=True)


@contextlib.contextmanager
def copy_of(harness: EngineKit, container: str) -> Iterator[str]:
    """A container that somebody makes by hand of an image that was made of another container."""
    repository = f"localhost/copy-{uuid.uuid4().hex[:8]}"
    harness.engine.api.commit(container, repository, "1")
    made = "none"
    try:
        host = harness.engine.api.create_host_config(mem_limit="64m")
        made = harness.engine.api.create_container(f"{repository}:1", ["x"], host_config=host)["Id"]
        assert harness.inspect(made)["Config"]["Labels"][INSTANCE_LABEL] == harness.instance
        yield made
    finally:
        with contextlib.suppress(docker.errors.NotFound):  # a pman with a fault has removed it
            harness.engine.api.remove_container(made, force=True)
        harness.engine.api.remove_image(f"{repository}:1", force=True)


def test_a_container_that_has_inherited_a_jobs_labels_is_no_job(harness: EngineKit) -> None:
    pman, place = harness.pman(), harness.place()
    counted = harness.count(place)
    info = harness.run(counted, pman)
    with copy_of(harness, info.native) as copy:
        assert jids(pman) == [counted.jid]
        assert pman.pman_status(counted.jid).native == info.native
        assert pman.pman_remove(counted.jid) is True
        assert jids(pman) == []
        assert pman.pman_remove(counted.jid) is False
        with pytest.raises(UnknownJobError):
            pman.pman_status(counted.jid)
        again = harness.run(counted, pman)
        assert (again.status, runs(place)) == (Status.SUCCEEDED, 2)
        pman.pman_resume()
        assert harness.inspect(copy)["State"]["Status"] == "created"


# ------------------------------------------------------------------ on an engine that is played


def rename(made: Play, old: str, new: str = "by-hand") -> None:
    made.engine._find(f"/containers/{old}")["Name"] = new


@BOTH
def test_a_renamed_job_that_waits_for_its_image_runs_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pman_docker.pull_backoff._PAUSE_S", 0.0)
    with play(name) as made:
        made.engine.pulled = {"error": "503 Service Unavailable"}
        made.pman.pman_submit(job(image="far:1"))
        made.until_quiet()
        rename(made, "aa")
        assert made.pman.pman_status("aa").status is Status.NOT_STARTED
        assert made.pman.pman_submit(job(image="far:1")).status is Status.NOT_STARTED
        made.engine.pulled = {"status": "done"}
        until(lambda: made.pman.pman_status("aa").status, lambda seen: seen is Status.STARTED)
        made.until_quiet()
        assert made.engine.started == ["aa.run"]
        assert made.pman.pman_remove("aa") is True
        assert made.engine.names() == []


@BOTH
def test_a_renamed_second_object_is_the_job(name: str) -> None:
    with play(name) as made:
        made.pman.pman_submit(job(image="far:1"))
        until(lambda: made.pman.pman_status("aa").status, lambda seen: seen is Status.STARTED)
        made.until_quiet()
        rename(made, second_name("aa"))
        assert made.pman.pman_status("aa").status is Status.STARTED
        made.pman.pman_resume()
        made.until_quiet()
        assert made.engine.started == ["aa.run"]
        assert made.engine.names() == ["aa", "by-hand"]
        assert made.pman.pman_remove("aa") is True
        assert made.engine.names() == []


def test_a_renamed_placeholder_of_an_end_is_the_end() -> None:
    with play() as made:
        made.engine.pulled = {"error": "manifest unknown"}
        made.pman.pman_submit(job(image="far:1"))
        made.until_quiet()
        end = made.pman.pman_status("aa")
        assert end.status is Status.FAILED
        rename(made, second_name("aa"))
        assert made.pman.pman_status("aa") == end


def test_a_renamed_second_object_that_was_never_started_is_replaced() -> None:
    with play() as made:
        made.engine.fail(r"start aa\.run$", "database is locked")
        made.pman.pman_submit(job(image="far:1"))
        made.until_quiet()
        rename(made, second_name("aa"))
        made.engine.now = "2026-11-21T02:00:00Z"
        until(lambda: made.pman.pman_status("aa").status, lambda seen: seen is Status.STARTED)
        made.until_quiet()
        assert made.engine.started == ["aa.run"]
        assert made.engine.names() == ["aa", "aa.run"]


def test_a_job_that_is_posted_while_another_of_it_was_renamed_makes_way() -> None:
    """Also where both were made at the same time: none is started then."""
    with play() as made:
        made.pman.pman_submit(job())
        rename(made, "aa")
        made.engine.asked.clear()
        assert made.pman.pman_submit(job()).native == "id1"
        assert made.engine.started == ["aa"]
        assert made.engine.names() == ["by-hand"]


def test_a_new_job_takes_three_calls() -> None:
    """Create, a look for an object of another name, start."""
    with play() as made:
        made.pman.pman_ping()
        made.engine.asked.clear()
        made.pman.pman_submit(job())
        assert made.engine.asked == [
            "POST /containers/create aa",
            "GET /containers/json ",
            "POST /containers/id1/start aa",
        ]


def test_a_job_of_an_image_made_of_a_second_object_is_a_job() -> None:
    """Such an image has a label that first objects must not inherit."""
    with play() as made:
        made.pman.pman_submit(job())
        assert made.engine.containers["id1"]["Config"]["Labels"][OF] == ""


def test_a_container_of_a_swarms_service_is_no_renamed_job() -> None:
    """pman's services put the same two labels on their containers."""
    with play() as made:
        labels = {JID_LABEL: "aa", INSTANCE_LABEL: "pman"}
        made.engine.reply(
            "POST", "/containers/create", {"Image": "here:1", "Labels": labels, "name": "aa.1.x"}
        )
        assert jids(made.pman) == []
        assert made.pman.pman_submit(job()).status is Status.STARTED
        assert made.pman.pman_remove("aa") is True
        assert made.engine.names() == ["aa.1.x"]
