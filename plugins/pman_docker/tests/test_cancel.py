"""What the conformance class cannot see of a cancellation: what a killed pman leaves, and notes."""

import threading

import pytest
from engine_kit import EngineKit, runs, until
from engine_standin import BEGIN, Play, job, play

from pman_core import JobFilter, JobInfo, Reason, Status
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_core.kit.outcome import cancelled
from pman_docker.backend import DockerBackend
from pman_docker.labels import CANCEL, CANCELLED, container_labels, end_labels, second_name
from pman_docker.resume import half_cancelled, orphans

BOTH = pytest.mark.parametrize("name", ["docker", "podman"])

HOLD = "echo run >> /share/outgoing/runs; while :; do sleep 0.1; done"
LATER = "2026-11-21T02:00:00Z"
BUSY = "received unexpected HTTP status: 503 Service Unavailable"


def is_cancelled(info: JobInfo) -> bool:
    told = (info.status, info.reason, info.message, info.exit_code)
    return told == (Status.FAILED, Reason.CANCELLED, "cancelled", None) and bool(info.finished)


def another(made: Play) -> DockerBackend:
    """A pman that knows nothing but its environment."""
    return type(made.pman)({"DOCKER_HOST": made.pman._engine.address, "ENGINE_TIMEOUT": "5"})


def placeholder(made: Play, kind: str) -> None:
    """What a pman leaves behind that is killed after this note of a cancellation."""
    labels = end_labels("aa", "pman", "id1", cancelled(), kind)
    made.pman._parts.placeholders.create_second(second_name("aa", kind), labels)


def never_started(made: Play) -> None:
    """What a pman leaves behind that is killed between create and start."""
    pman = made.pman
    body = pman.flavor.job_payload(job(), pman._settings, container_labels(job(), "pman"))
    pman.flavor.create(pman._engine, "aa", body)


# ------------------------------------------------------------------ on the real engines


def test_a_job_that_waits_for_its_image_and_is_cancelled_never_starts(harness: EngineKit) -> None:
    place, pman = harness.place(), harness.pman()
    waits = harness.count(place, image="localhost:1/no-such-image:1")
    assert pman.pman_submit(waits).status is Status.NOT_STARTED
    info = pman.pman_cancel(waits.jid)
    assert is_cancelled(info), info
    assert (info.started, pman.pman_logs(info, 10, 1000)) == (None, b"")
    assert harness.pman().pman_submit(waits) == harness.pman().pman_status(waits.jid) == info
    harness.until_quiet()
    assert runs(place) == 0
    assert pman.pman_remove(waits.jid)
    assert harness.objects() == []


def test_a_job_whose_container_somebody_made_anew_is_cancelled(harness: EngineKit) -> None:
    """It is the second object then."""
    place, pman = harness.place(), harness.pman(ENGINE_TIMEOUT="5")
    held = harness.shell(HOLD, place)
    harness.never_started(held)
    until(lambda: pman.pman_status(held.jid).status, lambda seen: seen is Status.STARTED)
    until(lambda: runs(place), bool)
    info = pman.pman_cancel(held.jid)
    assert is_cancelled(info), info
    harness.until_quiet()
    assert harness.pman().pman_status(held.jid) == info
    assert runs(place) == 1
    assert pman.pman_remove(held.jid)
    assert harness.objects() == []


def test_a_job_that_somebody_paused_is_cancelled(harness: EngineKit) -> None:
    pman, held = harness.pman(), harness.shell(HOLD)
    container = pman.pman_submit(held).native
    harness.engine.api.pause(container)
    assert is_cancelled(pman.pman_cancel(held.jid))
    assert harness.inspect(container)["State"]["Running"] is False


def test_a_renamed_job_is_cancelled_and_renamed_placeholders_still_count(
    harness: EngineKit,
) -> None:
    pman, held = harness.pman(), harness.shell(HOLD)
    pman.pman_submit(held)
    harness.engine.api.rename(harness.name(held.jid), f"by-hand-{held.jid}")
    info = pman.pman_cancel(held.jid)
    assert is_cancelled(info), info
    for kind in (CANCEL, CANCELLED):
        by_hand = f"by-hand-{held.jid}-{kind}"
        harness.engine.api.rename(second_name(harness.name(held.jid), kind), by_hand)
    assert pman.pman_status(held.jid) == pman.pman_cancel(held.jid) == info
    assert list(pman.pman_list(JobFilter(), 10, None).jobs) == [info]
    assert pman.pman_remove(held.jid)
    assert harness.objects() == []


def test_a_job_that_was_killed_before_it_was_cancelled_was_killed(harness: EngineKit) -> None:
    pman, held = harness.pman(), harness.shell(HOLD)
    harness.engine.api.kill(pman.pman_submit(held).native)
    info = pman.pman_status(held.jid)
    assert info.reason is Reason.KILLED
    pman._parts.cancellations.record(held.jid, info.native)  # as one who saw it running did
    assert pman.pman_status(held.jid) == pman.pman_cancel(held.jid) == info
    assert pman.pman_remove(held.jid)
    assert harness.objects() == []


def test_a_new_pman_ends_a_job_whose_cancellation_was_cut_off(harness: EngineKit) -> None:
    pman, held = harness.pman(), harness.shell(HOLD)
    info = pman.pman_submit(held)
    pman._parts.cancellations.record(held.jid, info.native)
    assert harness.pman().pman_status(held.jid).status is Status.STARTED
    harness.pman().pman_resume()
    assert is_cancelled(harness.pman().pman_status(held.jid))


# ------------------------------------------------------------------ on engines that are played


@BOTH
def test_only_a_job_that_was_killed_costs_another_look(name: str) -> None:
    with play(name) as made:
        made.pman.pman_submit(job())
        made.pman.pman_status("aa")
        made.engine.asked.clear()
        made.pman.pman_status("aa")
        made.engine.end("aa", 3)
        made.pman.pman_status("aa")
        assert made.engine.asked == ["GET /containers/aa/json aa"] * 2


@BOTH
def test_an_image_that_comes_after_a_cancellation_starts_nothing(name: str) -> None:
    with play(name) as made:
        made.engine.pulled = {"error": BUSY}
        made.pman.pman_submit(job(image="far:1"))
        made.until_quiet()
        assert is_cancelled(made.pman.pman_cancel("aa"))
        made.engine.images.add("far:1")
        other = another(made)
        other.pman_resume()
        assert is_cancelled(other.pman_status("aa"))
        until(lambda: other._reconciler._starter._busy, lambda busy: not busy)
        assert made.engine.started == []
        assert made.engine.names() == ["aa", "aa.run"]


def test_a_second_container_that_waits_makes_way_for_a_cancellation() -> None:
    with play() as made:
        made.engine.fail(r"start aa\.run$", "database is locked")
        made.pman.pman_submit(job(image="far:1"))
        made.until_quiet()
        assert made.pman.pman_status("aa").status is Status.NOT_STARTED
        assert is_cancelled(made.pman.pman_cancel("aa"))
        made.engine.now = LATER
        assert is_cancelled(another(made).pman_status("aa"))
        assert made.engine.started == []


def test_a_start_that_comes_too_late_for_a_cancellation_is_none() -> None:
    """Docker refuses to start what is removed just now, and keeps no word of it."""
    with play("podman") as made:  # which keeps none of any start
        made.engine.fail(
            r"start aa\.run$", "container is marked for removal and cannot be started", 409
        )
        made.pman.pman_submit(job(image="far:1"))
        made.until_quiet()
        assert is_cancelled(made.pman.pman_cancel("aa"))


def test_a_start_that_failed_for_now_is_not_tried_after_a_cancellation() -> None:
    """Docker keeps why, so there is nobody to wait for."""
    with play() as made:
        made.engine.fail("start aa$", "database is locked")
        with pytest.raises(EngineUnavailableError):
            made.pman.pman_submit(job())
        assert is_cancelled(made.pman.pman_cancel("aa"))
        made.engine.now = LATER
        assert is_cancelled(another(made).pman_status("aa"))
        assert made.engine.started == []


@BOTH
def test_whoever_may_yet_start_a_container_is_waited_for(name: str) -> None:
    """It counts as abandoned at some time, and is cancelled then; nobody else starts it."""
    with play(name, ENGINE_TIMEOUT="1") as made:
        never_started(made)
        with pytest.raises(EngineUnavailableError, match="cancel it again"):
            made.pman.pman_cancel("aa")
        assert made.pman.pman_status("aa").status is Status.NOT_STARTED
        made.engine.now = LATER
        other = another(made)
        other.pman_resume()
        assert is_cancelled(other.pman_status("aa"))
        assert is_cancelled(made.pman.pman_cancel("aa"))
        assert made.engine.started == []


@BOTH
def test_what_is_started_while_it_is_cancelled_is_killed(name: str) -> None:
    with play(name) as made:
        never_started(made)
        told: list[JobInfo] = []
        cancels = threading.Thread(target=lambda: told.append(made.pman.pman_cancel("aa")))
        cancels.start()
        until(made.engine.names, lambda names: "aa.run" in names)
        another(made)._engine.start("id1")
        cancels.join()
        assert is_cancelled(told[0])
        assert is_cancelled(another(made).pman_status("aa"))


@BOTH
def test_a_job_that_cannot_be_killed_is_ended_by_the_next_pman(name: str) -> None:
    with play(name, ENGINE_TIMEOUT="1") as made:
        made.pman.pman_submit(job())
        made.engine.fail("kill", "a process in uninterruptible sleep", times=1000)
        with pytest.raises(EngineUnavailableError, match="cancel it again"):
            made.pman.pman_cancel("aa")
        assert made.pman.pman_status("aa").status is Status.STARTED
        made.engine.mend()
        another(made).pman_resume()
        assert is_cancelled(made.pman.pman_status("aa"))


def test_a_killed_job_whose_cancellation_had_only_begun_keeps_its_end() -> None:
    """Somebody may have told it, before the first note could be seen."""
    with play() as made:
        made.pman.pman_submit(job())
        placeholder(made, CANCEL)
        made.engine.end("aa", 137)
        made.engine.now = LATER
        info = made.pman.pman_status("aa")
        assert info.reason is Reason.KILLED
        assert another(made).pman_cancel("aa") == info
        assert made.engine.names() == ["aa", "aa.cancel", "aa.cancelled"]
        assert made.engine.containers["id3"]["Created"] == LATER


@BOTH
def test_a_look_at_a_cancelled_job_makes_nothing(name: str) -> None:
    """Also where somebody has renamed its notes: another one would have a later time."""
    with play(name) as made:
        made.pman.pman_submit(job())
        info = made.pman.pman_cancel("aa")
        made.engine.asked.clear()
        made.engine.now = LATER
        assert made.pman.pman_status("aa") == info
        for note in made.engine.containers.values():
            if note["Name"] != "aa":
                note["Name"] += "-by-hand"
        assert made.pman.pman_status("aa") == another(made).pman_cancel("aa") == info
        assert not made.engine.count("POST /containers/create")


@pytest.mark.parametrize("code", [0, 1, 143])
def test_a_job_that_ends_by_itself_while_it_is_cancelled_keeps_its_end(code: int) -> None:
    with play() as made:
        made.pman.pman_submit(job())
        placeholder(made, CANCEL)
        placeholder(made, CANCELLED)
        made.engine.end("aa", code)
        assert made.pman.pman_cancel("aa").exit_code == code


def test_a_placeholder_that_was_made_as_late_as_the_end_does_not_count() -> None:
    with play() as made:
        made.pman.pman_submit(job())
        made.engine.end("aa", 137, at=BEGIN)
        placeholder(made, CANCEL)
        placeholder(made, CANCELLED)
        assert made.pman.pman_status("aa").reason is Reason.KILLED


@BOTH
@pytest.mark.parametrize("kind", [CANCEL, CANCELLED])
def test_a_foreign_container_in_the_way_of_a_placeholder_is_named(name: str, kind: str) -> None:
    """The job runs on then: killed without the note, it would have failed for another reason."""
    with play(name) as made:
        made.pman.pman_submit(job())
        body = {"Image": "here:1", "Labels": {"not": "pman's"}, "name": second_name("aa", kind)}
        made.engine.reply("POST", "/containers/create", body)
        with pytest.raises(EngineUnavailableError, match=f"container aa.{kind} is not pman's"):
            made.pman.pman_cancel("aa")
        assert made.pman.pman_status("aa").status is Status.STARTED
        made.engine.end("aa", 137)
        assert made.pman.pman_status("aa").reason is Reason.KILLED


def test_a_foreign_container_in_the_way_of_a_waiting_jobs_end_is_named() -> None:
    with play() as made:
        made.engine.pulled = {"error": BUSY}
        made.pman.pman_submit(job(image="far:1"))
        made.until_quiet()
        body = {"Image": "here:1", "Labels": {"not": "pman's"}, "name": "aa.run"}
        made.engine.reply("POST", "/containers/create", body)
        with pytest.raises(EngineUnavailableError, match=r"container aa\.run is not pman's"):
            made.pman.pman_cancel("aa")


@BOTH
def test_placeholders_of_a_removed_job_are_none_of_a_new_one(name: str) -> None:
    """Whoever removed it was killed meanwhile, and the job was posted again."""
    with play(name) as made:
        made.pman.pman_submit(job())
        assert is_cancelled(made.pman.pman_cancel("aa"))
        del made.engine.containers["id1"]
        made.pman.pman_submit(job())
        left = orphans(made.pman._parts.objects, made.pman._parts.objects.of_all())
        assert len(left) == 2
        assert half_cancelled(made.pman._parts.objects.of_all()) == []
        info = made.pman.pman_cancel("aa")
        assert is_cancelled(info)
        assert made.engine.names() == ["aa", "aa.cancel", "aa.cancelled"]
        assert made.pman.pman_remove("aa") is True
        assert made.engine.names() == []
        with pytest.raises(UnknownJobError):
            made.pman.pman_cancel("aa")


def test_placeholders_of_no_job_are_removed_at_a_start() -> None:
    with play() as made:
        made.pman.pman_submit(job())
        made.pman.pman_cancel("aa")
        del made.engine.containers["id1"]
        another(made).pman_resume()
        assert made.engine.names() == []


def test_a_container_whose_image_has_labels_of_a_placeholder_is_none() -> None:
    """Somebody may have made the image of one."""
    with play() as made:
        made.pman.pman_submit(job(image="far:1"))
        until(lambda: made.pman.pman_status("aa").status, lambda seen: seen is Status.STARTED)
        made.until_quiet()
        labels = end_labels("aa", "pman", "x", cancelled())
        runs_now = made.engine.containers["id2"]["Config"]
        runs_now["Labels"] = {**labels, **runs_now["Labels"]}
        another(made).pman_resume()
        assert made.pman.pman_status("aa").status is Status.STARTED
