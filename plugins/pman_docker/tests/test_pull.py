"""A job whose image is not on the host: its pull is no part of the POST, and survives pman."""

import contextlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import docker.errors
import pytest
from engine_kit import PATIENCE_S, EngineKit, kit_on, runs, until
from registry_images import SlowImage, pushed_image, slow_image, why_no_registry

from pman_core import Job, JobInfo, Reason, Status
from pman_core.contract.errors import UnknownJobError
from pman_core.kit.serial import job_to_json
from pman_core.testing.pytest_plugin import Engines
from pman_docker.labels import PLACEHOLDER_IMAGE, container_labels, second_name


@pytest.fixture(scope="module")
def repository(engines: Engines) -> Iterator[str]:
    engines.need("registry", why_no_registry())
    with pushed_image() as made:
        yield made


@pytest.fixture
def image(harness: EngineKit, repository: str) -> Iterator[SlowImage]:
    """An image that cannot be pulled until the test lets it flow."""
    with slow_image(harness.engine.api, repository) as made:
        yield made
        harness.clean_up()  # before its image


@contextlib.contextmanager
def held_pman(
    harness: EngineKit, do: str, job: Job, **environ: str
) -> Iterator["subprocess.Popen[str]"]:
    """Another process, which has started and waits for ``let_go``; it is killed in the end."""
    order = {"engine": harness.engine.name, "environ": {**harness.environ, **environ}}
    order |= {"do": do, "job": job_to_json(job)}
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("other_pman.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdin
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            assert answer_of(process) == "ready\n"
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def other_pman(
    harness: EngineKit, do: str, job: Job, **environ: str
) -> Iterator["subprocess.Popen[str]"]:
    """Likewise, let go already."""
    with held_pman(harness, do, job, **environ) as process:
        let_go(process)
        yield process


def let_go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin
    process.stdin.close()


def answer_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline()


def is_pulled(harness: EngineKit, image: str) -> bool:
    try:
        harness.engine.api.inspect_image(image)  # type: ignore[no-untyped-call]
    except docker.errors.ImageNotFound:
        return False
    return True


def assert_pulling(info: JobInfo) -> None:
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.PULLING), info
    assert "pulling" in info.message


def test_submit_answers_before_the_pull_ended(harness: EngineKit, image: SlowImage) -> None:
    image.way.freeze()
    place = harness.place()
    job = harness.count(place, image=image.name)
    pman = harness.pman()
    assert_pulling(pman.pman_submit(job))
    assert not is_pulled(harness, image.name)
    assert_pulling(pman.pman_status(job.jid))
    assert pman.pman_logs(pman.pman_status(job.jid), 10, 1000) == b""
    image.way.thaw()
    until(lambda: runs(place), bool)  # by itself: nobody asks
    info = harness.end_of(pman, job.jid)
    assert (info.status, info.image, info.argv) == (Status.SUCCEEDED, image.name, job.argv)
    assert info.fingerprint == job.fingerprint
    harness.until_quiet()
    assert runs(place) == 1
    assert pman.pman_remove(job.jid)
    assert harness.objects() == []


def test_several_pmans_make_one_run(harness: EngineKit, image: SlowImage) -> None:
    place = harness.place()
    job = harness.count(place, image=image.name)
    pmans = [harness.pman() for _ in range(3)]
    with held_pman(harness, "ask", job) as asking, held_pman(harness, "submit", job) as submitting:
        image.way.freeze()  # only now: an engine does not wait for a registry for ever
        pmans[0].pman_submit(job)
        for process in (asking, submitting):
            let_go(process)
        for pman in pmans[1:]:
            assert_pulling(pman.pman_status(job.jid))
            pman.pman_resume()
        for process in (asking, submitting):
            assert answer_of(process) == "done\n"
        image.way.thaw()
        with ThreadPoolExecutor(3) as pool:
            infos = list(pool.map(lambda pman: harness.end_of(pman, job.jid), pmans))
        for process in (asking, submitting):
            assert process.wait(PATIENCE_S) == 0
    assert {info.status for info in infos} == {Status.SUCCEEDED}
    harness.until_quiet()  # whoever would run it again has done so then
    assert runs(place) == 1


def test_another_request_finds_the_fingerprint_of_the_first(
    harness: EngineKit, image: SlowImage
) -> None:
    image.way.freeze()
    place = harness.place()
    job = harness.count(place, image=image.name)
    harness.pman().pman_submit(job)
    for other_image in (job.image, image.tag("other"), "localhost/pman-test:1"):
        other = harness.count(place, jid=job.jid, fingerprint="v1-other", image=other_image)
        info = harness.pman().pman_submit(other)
        assert_pulling(info)
        assert (info.fingerprint, info.image) == (job.fingerprint, job.image)


def test_a_pull_that_fails_ends_the_job_in_the_engines_words(
    harness: EngineKit, image: SlowImage
) -> None:
    place = harness.place()
    job = harness.count(place, image=image.tag("no-such-tag"))
    pman = harness.pman()
    pman.pman_submit(job)
    info = harness.end_of(pman, job.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.IMAGE_NOT_FOUND)
    assert "manifest unknown" in info.message
    assert job.image in info.message
    assert info.finished
    harness.until_quiet()  # one that goes on in vain asks for the image, too
    asked = image.way.connections
    assert pman.pman_logs(info, 10, 1000) == b""
    assert harness.pman().pman_submit(job) == info == harness.pman().pman_status(job.jid)
    assert image.way.connections == asked
    assert runs(place) == 0
    assert pman.pman_remove(job.jid)
    assert harness.objects() == []


def test_a_killed_pman_neither_loses_nor_doubles_a_job(
    harness: EngineKit, image: SlowImage
) -> None:
    image.way.rate = 1_000_000  # a pull takes about two seconds
    dice = random.Random(7)  # noqa: S311 - the same moments in every run
    for _ in range(4):
        place = harness.place()
        job = harness.count(place, image=image.name)
        with other_pman(harness, "submit", job, ENGINE_TIMEOUT="10") as process:
            time.sleep(dice.uniform(0.0, 3.0))  # the moment of the kill is what this varies
            process.kill()
        pman = harness.pman(ENGINE_TIMEOUT="10")
        pman.pman_submit(job)  # its client repeats the request
        info = harness.end_of(pman, job.jid)
        assert info.status is Status.SUCCEEDED, info
        harness.until_quiet()
        assert runs(place) == 1
        assert pman.pman_remove(job.jid)
        harness.engine.api.remove_image(image.name, force=True)
    assert harness.objects() == []


def test_a_new_pman_goes_on_with_a_pull_at_its_start(harness: EngineKit, image: SlowImage) -> None:
    image.way.freeze()
    place = harness.place()
    job = harness.count(place, image=image.name)
    with other_pman(harness, "submit", job) as process:
        assert answer_of(process) == "done\n"
        process.kill()
    image.way.thaw()
    with other_pman(harness, "resume", job):
        until(lambda: runs(place), bool)
        assert harness.end_of(harness.pman(), job.jid).status is Status.SUCCEEDED
    assert runs(place) == 1


def test_a_job_can_be_removed_while_its_image_is_pulled(
    harness: EngineKit, image: SlowImage
) -> None:
    image.way.freeze()
    place, after = harness.place(), harness.place()
    job = harness.count(place, image=image.name)
    pman = harness.pman()
    pman.pman_submit(job)
    assert pman.pman_remove(job.jid) is True
    assert pman.pman_remove(job.jid) is False
    assert harness.objects() == []
    with pytest.raises(UnknownJobError):
        pman.pman_status(job.jid)
    again = harness.count(after, jid=job.jid)  # the same id at once, of an image that is there
    assert harness.run(again, pman).status is Status.SUCCEEDED
    image.way.thaw()
    harness.until_quiet()  # also with the removed job
    assert is_pulled(harness, image.name)
    assert (runs(place), runs(after)) == (0, 1)
    assert harness.objects() == [harness.name(job.jid)]


def test_a_removed_job_can_be_posted_again_while_its_image_is_pulled(
    harness: EngineKit, image: SlowImage
) -> None:
    image.way.freeze()
    places = [harness.place() for _ in range(3)]
    pman = harness.pman()
    jid = ""
    for place in places:
        job = harness.count(place, image=image.name)
        jid = jid or job.jid
        pman.pman_remove(jid)
        assert_pulling(pman.pman_submit(attrs.evolve(job, jid=jid)))
    image.way.thaw()
    info = harness.end_of(pman, jid)
    assert info.status is Status.SUCCEEDED, info
    harness.until_quiet()  # also with the removed jobs
    assert [runs(place) for place in places] == [0, 0, 1]
    assert pman.pman_remove(jid)
    assert harness.objects() == []


def test_a_pull_that_takes_too_long_ends_the_job(harness: EngineKit, image: SlowImage) -> None:
    image.way.freeze()
    place = harness.place()
    job = harness.count(place, image=image.name)
    pman = harness.pman(START_DEADLINE="2")
    pman.pman_submit(job)
    info = harness.end_of(pman, job.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.START_DEADLINE)
    assert "pulling image" in info.message
    image.way.thaw()
    harness.until_quiet()
    assert is_pulled(harness, image.name)
    assert harness.pman().pman_status(job.jid) == info
    assert runs(place) == 0


def test_two_instances_pull_for_themselves(
    harness: EngineKit, image: SlowImage, tmp_path: Path
) -> None:
    image.way.freeze()
    place = harness.place()
    job = harness.count(place, image=image.name)
    with kit_on(harness.engine, tmp_path / "other") as other:
        other_place = other.place()
        harness.pman().pman_submit(job)
        other_job = other.count(other_place, image=image.name, jid=job.jid)
        with pytest.raises(UnknownJobError):
            other.pman().pman_status(job.jid)
        other.pman().pman_submit(other_job)
        image.way.thaw()
        assert harness.end_of(harness.pman(), job.jid).status is Status.SUCCEEDED
        assert other.end_of(other.pman(), job.jid).status is Status.SUCCEEDED
        assert (runs(place), runs(other_place)) == (1, 1)
        assert other.pman().pman_remove(job.jid)
        assert harness.pman().pman_status(job.jid).status is Status.SUCCEEDED


def test_a_pull_without_news_is_given_up_and_tried_again(
    harness: EngineKit, image: SlowImage
) -> None:
    """The engine, not the registry, goes silent: a pull has a time-out as any call has."""
    image.way.freeze()
    place = harness.place()
    job = harness.count(place, image=image.name)
    pman = harness.pman(PULL_TIMEOUT="5")
    pman.pman_submit(job)
    harness.until_quiet()
    image.way.thaw()
    assert harness.end_of(pman, job.jid).status is Status.SUCCEEDED
    assert runs(place) == 1


def test_a_registry_that_is_away_for_a_while_delays_the_job(
    harness: EngineKit, image: SlowImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pman_docker.pull_backoff._PAUSE_S", 1.0)
    image.way.cut()
    place = harness.place()
    job = harness.count(place, image=image.name)
    pman = harness.pman()
    pman.pman_submit(job)
    info = until(lambda: pman.pman_status(job.jid), lambda info: "refused" in info.message)
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.PULLING), info
    assert f"cannot get image {image.name}: the registry cannot be reached" in info.message
    image.way.up()
    assert harness.end_of(pman, job.jid).status is Status.SUCCEEDED
    harness.until_quiet()
    assert runs(place) == 1


# ------------------------------------------ containers that were created, and never started


def test_an_abandoned_container_is_gone_on_with_once(harness: EngineKit) -> None:
    place = harness.place()
    job = harness.count(place)
    harness.never_started(job)
    young = harness.pman(ENGINE_TIMEOUT="60")
    assert young.pman_status(job.jid).status is Status.NOT_STARTED
    assert young.pman_submit(job).status is Status.NOT_STARTED
    young.pman_resume()
    with other_pman(harness, "ask", job, ENGINE_TIMEOUT="10") as other:
        pmans = [harness.pman(ENGINE_TIMEOUT="10") for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            infos = list(pool.map(lambda pman: harness.end_of(pman, job.jid), pmans))
        assert other.wait(PATIENCE_S) == 0
    assert {info.status for info in infos} == {Status.SUCCEEDED}
    harness.until_quiet()
    assert runs(place) == 1
    assert harness.inspect(harness.name(job.jid))["State"]["Status"] == "created"
    assert pmans[0].pman_remove(job.jid)
    assert harness.objects() == []


def test_an_abandoned_second_container_is_replaced_once(harness: EngineKit) -> None:
    place = harness.place()
    job = harness.count(place)
    harness.never_started(job)
    first = harness.inspect(harness.name(job.jid))["Id"]
    pman = harness.pman()
    labels = container_labels(job, harness.instance, of=first)
    body = pman.flavor.job_payload(job, pman._settings, labels)
    name = second_name(harness.name(job.jid))
    left = pman.flavor.create(pman._engine, name, body)
    pmans = [harness.pman(ENGINE_TIMEOUT="10") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        infos = list(pool.map(lambda pman: harness.end_of(pman, job.jid), pmans))
    assert {info.status for info in infos} == {Status.SUCCEEDED}, infos
    harness.until_quiet()
    assert runs(place) == 1
    assert harness.inspect(name)["Id"] != left


def test_an_abandoned_second_container_does_not_outlive_the_deadline(harness: EngineKit) -> None:
    place = harness.place()
    job = harness.count(place)
    harness.never_started(job)
    first = harness.inspect(harness.name(job.jid))["Id"]
    pman = harness.pman(ENGINE_TIMEOUT="10", START_DEADLINE="1")
    labels = container_labels(job, harness.instance, of=first)
    body = pman.flavor.job_payload(job, pman._settings, labels)
    pman.flavor.create(pman._engine, second_name(harness.name(job.jid)), body)
    info = harness.end_of(pman, job.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.START_DEADLINE)
    assert harness.pman().pman_status(job.jid) == info
    assert runs(place) == 0


def test_a_foreign_container_of_the_seconds_name_is_left_alone(harness: EngineKit) -> None:
    job = harness.count(harness.place())
    harness.never_started(job)
    name = second_name(harness.name(job.jid))
    harness.engine.api.create_container(PLACEHOLDER_IMAGE, ["foreign"], name=name)
    try:
        # The deadline lies beyond the grace, so that pman tries to go on with the job first.
        pman = harness.pman(ENGINE_TIMEOUT="10", START_DEADLINE="30")
        info = harness.end_of(pman, job.jid)
        assert (info.status, info.reason) == (Status.FAILED, Reason.START_DEADLINE)
        assert pman.pman_remove(job.jid)
        assert harness.inspect(name)["Config"]["Cmd"] == ["foreign"]
    finally:
        harness.engine.api.remove_container(name, force=True)


def test_a_second_container_without_its_first_is_removed_at_a_start(harness: EngineKit) -> None:
    job = harness.shell("while true; do read x < /dev/zero; done")
    name = second_name(harness.name(job.jid))
    pman = harness.pman()
    labels = container_labels(job, harness.instance, of="0123456789abcdef")
    pman.flavor.create(pman._engine, name, pman.flavor.job_payload(job, pman._settings, labels))
    # The labels alone make nothing pman's: an image made of a job's container has them too.
    host = harness.engine.api.create_host_config(mem_limit="64m")
    kept = harness.engine.api.create_container(job.image, ["x"], labels=labels, host_config=host)
    try:
        pman.pman_resume()
        assert name not in harness.objects()
        assert harness.inspect(kept["Id"])
    finally:
        harness.engine.api.remove_container(kept["Id"], force=True)
