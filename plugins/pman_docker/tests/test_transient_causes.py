"""A fault that passes with time ends no job, and keeps no other one."""

import threading

import pytest
from engine_kit import until
from engine_standin import NEVER, Play, job, play

from pman_core import JobFilter, Reason, Status
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_core.kit.causes import pull_message
from pman_docker.labels import container_labels

BOTH = pytest.mark.parametrize("name", ["docker", "podman"])

BUSY = "received unexpected HTTP status: 503 Service Unavailable"
LOCKED = "beginning transaction: database is locked"
CANCELLED = "Canceled: context canceled"
LATER = "2026-11-21T02:00:00Z"

PULL = "POST /images/create"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a pause between pulls."""
    monkeypatch.setattr("pman_docker.pull_backoff._PAUSE_S", 0.0)


def until_reported(made: Play, words: str) -> None:
    """Until the job says these words, and still waits."""
    info = until(lambda: made.pman.pman_status("aa"), lambda info: words in info.message)
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.PULLING)


def until_run(made: Play) -> None:
    """Until the job has got its one run."""
    until(lambda: made.pman.pman_status("aa"), lambda info: info.status is Status.STARTED)
    made.until_quiet()
    assert len(made.engine.started) == 1


# ------------------------------------------------------------------ pulls


@BOTH
@pytest.mark.parametrize(
    "words",
    [
        BUSY,
        'Get "https://far/v2/": dial tcp: lookup far on 10.0.0.1:53: no such host',
        "error parsing HTTP 403 response body: invalid character '<' looking for a value",
        "words that nobody knows",
    ],
)
def test_a_pull_that_may_succeed_later_is_tried_again(name: str, words: str, hurried: None) -> None:
    with play(name) as made:
        made.engine.pulled = {"error": words}
        made.pman.pman_submit(job(image="far:1"))
        until_reported(made, pull_message("far:1", words))
        made.engine.pulled = {"status": "done"}
        until_run(made)


def test_a_pull_that_is_refused_for_good_ends_the_job() -> None:
    with play() as made:
        made.engine.pulled = {"error": "manifest for far:1 not found: manifest unknown"}
        made.pman.pman_submit(job(image="far:1"))
        made.until_quiet()
        info = made.pman.pman_status("aa")
        assert (info.status, info.reason) == (Status.FAILED, Reason.IMAGE_NOT_FOUND)
        assert info.message == pull_message("far:1", made.engine.pulled["error"])


def test_what_kept_an_image_away_until_the_deadline_is_reported_in_the_end() -> None:
    with play(START_DEADLINE="60") as made:
        made.engine.pulled = {"error": BUSY}
        made.pman.pman_submit(job(image="far:1"))
        until_reported(made, BUSY)
        made.engine.now = LATER
        info = made.pman.pman_status("aa")
        assert (info.status, info.reason) == (Status.FAILED, Reason.START_DEADLINE)
        assert BUSY in info.message


def test_a_job_that_waits_for_the_same_thing_is_one_warning(
    hurried: None, caplog: pytest.LogCaptureFixture
) -> None:
    with play() as made, caplog.at_level("DEBUG", "pman_docker"):
        for words in (BUSY, LOCKED):
            made.engine.pulled = {"error": words}
            for _ in range(3):
                made.pman.pman_submit(job(image="far:1"))
                made.until_quiet()
    told = [(each.levelname, "503" in each.getMessage()) for each in caplog.records]
    assert told.count(("DEBUG", True)) == told.count(("DEBUG", False)) == 2
    assert told.count(("WARNING", True)) == told.count(("WARNING", False)) == 1


def test_polls_do_not_hammer_a_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pman_docker.pull_backoff._PAUSE_S", 3600.0)
    with play() as made:
        made.engine.pulled = {"error": BUSY}
        made.pman.pman_submit(job(image="far:1"))
        until_reported(made, BUSY)
        for _ in range(5):
            made.until_quiet()
            made.pman.pman_status("aa")
        made.until_quiet()
        assert made.engine.count(PULL) == 1
        made.pman.pman_submit(job("bb", image="far:1"))  # which has a pull of its own
        made.until_quiet()
        assert made.engine.count(PULL) == 2


# ------------------------------------------------------------------ create and start


@BOTH
def test_a_create_that_may_succeed_later_is_tried_again(name: str) -> None:
    with play(name) as made:
        made.engine.fail(r"create aa\.run$", LOCKED, times=-1)
        made.pman.pman_submit(job(image="far:1"))
        info = until(lambda: made.pman.pman_status("aa"), lambda info: LOCKED in info.message)
        assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED)
        made.engine.mend()
        until_run(made)


@BOTH
@pytest.mark.parametrize("words", [LOCKED, CANCELLED])
def test_a_start_that_may_succeed_later_makes_one_run(name: str, words: str) -> None:
    """Docker keeps the fault of a start, and Podman (before 5) nothing."""
    with play(name) as made:
        made.engine.fail(r"start aa$", words)
        with pytest.raises(EngineUnavailableError, match=words):
            made.pman.pman_submit(job())
        info = made.pman.pman_submit(job())
        assert info.status is Status.NOT_STARTED
        assert (words in info.message) == (name == "docker")
        made.until_quiet()
        assert made.engine.started == []
        made.engine.now = LATER  # its creator would have started it by now
        until_run(made)
        assert made.engine.started == ["aa.run"]


@BOTH
def test_an_end_stays_where_somebody_starts_what_another_container_replaced(name: str) -> None:
    """``docker start $(docker ps -aq)`` starts it, too: that is no run of the job."""
    with play(name) as made:
        made.engine.fail(r"start aa$", LOCKED)
        with pytest.raises(EngineUnavailableError):
            made.pman.pman_submit(job())
        made.engine.now = LATER
        until_run(made)
        first, second = made.engine.containers.values()
        second["State"] |= {"Status": "exited", "ExitCode": 3, "FinishedAt": LATER}
        end = made.pman.pman_status("aa")
        first["State"] = {"Status": "running", "StartedAt": LATER, "FinishedAt": NEVER}
        assert made.pman.pman_status("aa") == end
        assert end.exit_code == 3


@BOTH
@pytest.mark.parametrize("words", [LOCKED, CANCELLED])
def test_a_start_after_a_pull_that_may_succeed_later_makes_one_run(name: str, words: str) -> None:
    with play(name) as made:
        made.engine.fail(r"start aa\.run$", words)
        made.pman.pman_submit(job(image="far:1"))
        made.until_quiet()
        assert made.pman.pman_status("aa").status is Status.NOT_STARTED
        made.engine.now = LATER
        until_run(made)


def test_a_start_that_is_refused_for_good_ends_the_job() -> None:
    with play("podman") as made:
        made.engine.fail(r"start aa$", 'crun: executable file "timeout" not found in $PATH')
        info = made.pman.pman_submit(job())
        assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START)


@pytest.mark.parametrize("code", [400, 500])
def test_a_job_that_exists_is_never_reported_as_refused(code: int) -> None:
    """Neither its start nor the note of that could be done: somebody goes on with it later."""
    with play("podman") as made:
        made.engine.fail(r"start aa$", "crun: some fault")
        made.engine.fail(r"create aa\.run$", "no note", code)
        with pytest.raises(EngineUnavailableError, match="no note"):
            made.pman.pman_submit(job())
        assert made.pman.pman_status("aa").status is Status.NOT_STARTED


# ------------------------------------------------------------------ one job and the others


def test_an_end_that_cannot_be_written_down_hides_no_other_job() -> None:
    with play(START_DEADLINE="60") as made:
        made.engine.pulled = {"error": BUSY}
        made.pman.pman_submit(job(image="far:1"))
        made.pman.pman_submit(job("bb"))
        until_reported(made, BUSY)
        made.engine.now = LATER
        made.engine.fail(r"create aa\.run$", "no space left on device", times=-1)
        page = made.pman.pman_list(JobFilter(), 10, None)
        assert [info.status for info in page.jobs] == [Status.NOT_STARTED, Status.STARTED]
        assert "not started within 60 s" in page.jobs[0].message
        assert "no space left" in page.jobs[0].message
        made.engine.mend()
        assert made.pman.pman_status("aa").reason is Reason.START_DEADLINE


def test_what_cannot_be_gone_on_with_keeps_no_other_job(hurried: None) -> None:
    with play() as made:
        made.engine.pulled = {"error": BUSY}
        for jid in ("aa", "bb"):
            made.pman.pman_submit(job(jid, image="far:1"))
        until_reported(made, BUSY)
        made.until_quiet()
        body = {"Image": "here:1", "Labels": container_labels(job("cc"), "pman", of="gone")}
        made.engine.reply("POST", "/containers/create", {**body, "name": "cc.run"})
        made.engine.fail("DELETE", "device or resource busy", times=-1)
        made.engine.fail("GET /containers/aa/json", "layer not known", times=-1)
        made.engine.pulled = {"status": "done"}
        with pytest.raises(EngineUnavailableError, match="layer not known"):
            made.pman.pman_resume()
        made.until_quiet()
        assert made.engine.started == ["bb.run"]


def test_without_a_thread_a_job_is_gone_on_with_later_and_hides_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("pman-"):
            raise RuntimeError("can't start new thread")
        start(thread)

    with play() as made:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            with pytest.raises(EngineUnavailableError, match="can't start new thread"):
                made.pman.pman_submit(job(image="far:1"))
            made.pman.pman_submit(job("bb"))
            page = made.pman.pman_list(JobFilter(), 10, None)
            assert [info.status for info in page.jobs] == [Status.NOT_STARTED, Status.STARTED]
        made.engine.started.clear()
        until_run(made)


# ------------------------------------------------------------------ removals


@BOTH
def test_an_interrupted_removal_can_be_repeated(name: str) -> None:
    with play(name) as made:
        made.pman.pman_submit(job(image="far:1"))
        until_run(made)
        made.engine.fail("POST .*/kill", "deadline exceeded")
        made.engine.fail(r"DELETE .*aa\.run$", "device or resource busy")
        with pytest.raises(EngineUnavailableError, match="resource busy"):
            made.pman.pman_remove("aa")
        assert made.engine.names() == ["aa.run"]
        made.engine.fail(r"DELETE .*aa\.run$", "device or resource busy")
        with pytest.raises(EngineUnavailableError, match="resource busy"):
            made.pman.pman_remove("aa")
        assert made.pman.pman_remove("aa") is True
        assert made.engine.names() == []
        assert made.pman.pman_remove("aa") is False


@pytest.mark.parametrize("labels", [{}, container_labels(job(), "other", of="gone")])
def test_what_is_not_the_rest_of_a_job_is_left_alone(labels: dict[str, str]) -> None:
    with play() as made:
        asked = {"Image": "here:1", "Labels": labels or None, "labels": {}, "name": "aa.run"}
        made.engine.reply("POST", "/containers/create", asked)
        assert made.pman.pman_remove("aa") is False
        assert made.engine.names() == ["aa.run"]


def test_the_removal_of_what_was_never_there_asks_twice() -> None:
    with play() as made:
        with pytest.raises(UnknownJobError):
            made.pman.pman_status("aa")
        made.engine.asked.clear()
        assert made.pman.pman_remove("aa") is False
        assert made.engine.asked == ["GET /containers/aa/json ", "GET /containers/json "]
