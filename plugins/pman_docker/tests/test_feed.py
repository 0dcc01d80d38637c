"""The feed on real engines: what happens beside pman is reported, and a mark is never untrue."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import attrs
import docker.errors
import pytest
from engine_kit import EngineKit, until
from engine_subjects import IMAGE

from pman_core import JobInfo
from pman_core.contract.errors import EngineUnavailableError
from pman_core.contract.feed import Mark, News, Removed
from pman_docker.backend import DockerBackend
from pman_docker.job_objects import Summary
from pman_docker.status.container import SUSPENDED

FRESHNESS_S = 2.0

#: Docker's ring of events, which all containers of an engine share, has room for so many.
RING = 256


@attrs.define
class Followed:
    """What feeds have reported, each begun when the one before broke, as the core does it."""

    jobs: dict[str, JobInfo] = attrs.field(factory=dict)
    mark: float = 0.0
    marks: int = 0
    broke: int = 0

    def follow(self, pman: DockerBackend, stop: threading.Event) -> None:
        while not stop.is_set():
            self.jobs.clear()
            self.marks = 0
            with contextlib.suppress(EngineUnavailableError):
                for news in pman.pman_watch(FRESHNESS_S):
                    self._take(news)
                    if stop.is_set():
                        return
            self.broke += 1

    def _take(self, news: News) -> None:
        if isinstance(news, Mark):
            self.mark = news.asked
            self.marks += 1
        elif isinstance(news, Removed):
            self.jobs.pop(news.jid, None)
        else:
            self.jobs[news.jid] = news

    def until_marked(self) -> None:
        now = time.monotonic()
        until(lambda: self.mark, lambda mark: mark > now)


@contextlib.contextmanager
def followed(pman: DockerBackend) -> Iterator[Followed]:
    found, stop = Followed(), threading.Event()
    thread = threading.Thread(target=found.follow, args=(pman, stop), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join(30)


def test_what_somebody_does_by_hand_is_reported(harness: EngineKit) -> None:
    pman = harness.pman()
    job = harness.job("sleep", "1000")
    pman.pman_submit(job)
    native = harness.pman().pman_status(job.jid).native
    with followed(harness.pman()) as feed:
        feed.until_marked()
        harness.engine.api.pause(native)
        feed.until_marked()
        assert feed.jobs[job.jid].message == SUSPENDED
        harness.engine.api.unpause(native)
        feed.until_marked()
        assert feed.jobs[job.jid].message != SUSPENDED
        harness.engine.api.kill(native)
        feed.until_marked()
        assert feed.jobs[job.jid] == pman.pman_status(job.jid)
        harness.engine.api.remove_container(native, v=True, force=True)
        feed.until_marked()
        assert job.jid not in feed.jobs


def test_events_of_other_containers_take_none_away(harness: EngineKit) -> None:
    pman = harness.pman()
    jobs = [harness.job("true") for _ in range(5)]
    with followed(harness.pman()) as feed, foreign_events(harness) as come:
        feed.until_marked()
        for job in jobs:
            pman.pman_submit(job)
            harness.end_of(pman, job.jid)
        until(lambda: len(come), lambda count: count > RING)
        feed.until_marked()
        assert {job.jid: feed.jobs[job.jid] for job in jobs} == {
            job.jid: pman.pman_status(job.jid) for job in jobs
        }


def test_a_job_that_ends_while_all_jobs_are_listed_is_reported(
    harness: EngineKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many jobs take long to look at, and the engine forgets old events meanwhile."""
    pman, slow = harness.pman(), harness.pman()
    job = harness.job("sleep", "1000")
    pman.pman_submit(job)
    native = until(lambda: pman.pman_status(job.jid).native, bool)
    find, listed_it, go_on = slow._reconciler.find, threading.Event(), threading.Event()

    def look(jid: str, listed: Iterable[Summary] | None = None) -> JobInfo | None:
        info = find(jid, listed)
        if listed is not None:
            listed_it.set()
            go_on.wait(60)
        return info

    monkeypatch.setattr(slow._reconciler, "find", look)
    with followed(slow) as feed:
        assert listed_it.wait(60)
        later = time.monotonic() + 2 * FRESHNESS_S  # windows of events have ended by then
        until(time.monotonic, lambda now: now > later)
        harness.engine.api.kill(native)
        ended = harness.end_of(pman, job.jid)
        with foreign_container(harness) as other:
            for number in range(RING + 10):
                harness.engine.api.rename(other, f"{harness.instance}-foreign-{number}")
        go_on.set()
        feed.until_marked()
        assert feed.jobs[job.jid] == ended


@contextlib.contextmanager
def foreign_container(harness: EngineKit) -> Iterator[str]:
    """A container that is none of pman, and is never started."""
    api = harness.engine.api
    limits = api.create_host_config(mem_limit="64m")
    made: str = api.create_container(IMAGE, ["true"], host_config=limits)["Id"]
    try:
        yield made
    finally:
        with contextlib.suppress(docker.errors.NotFound):
            api.remove_container(made, v=True)


@contextlib.contextmanager
def foreign_events(harness: EngineKit) -> Iterator[list[None]]:
    """Containers that are none of pman come and go; each adds its two events to a list."""
    come, stop = list[None](), threading.Event()

    def work() -> None:
        while not stop.is_set():
            with foreign_container(harness):
                come.append(None)
            come.append(None)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield come
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("by_s", [-30, 30])
def test_a_clock_that_is_set_ends_the_feed_and_makes_no_mark(
    harness: EngineKit, monkeypatch: pytest.MonkeyPatch, by_s: int
) -> None:
    """The end of a window of events comes by the engine's clock."""
    pman = harness.pman(ENGINE_TIMEOUT="2")
    right = pman._engine.now

    def now() -> datetime:
        return right() + timedelta(seconds=by_s)

    monkeypatch.setattr(pman._engine, "now", now)
    with followed(pman) as feed:
        until(lambda: feed.broke, lambda broke: broke > 1)
        assert feed.marks <= 1, "only that of the list of all jobs"
