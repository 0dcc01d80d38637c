"""The feed: it reports all jobs, then what changes, and its marks are true."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import attrs

from pman_core.contract.errors import PmanError
from pman_core.contract.feed import Mark, News, Removed
from pman_core.contract.info import JobInfo, Status
from pman_core.testing.conformance.harness import Harness

#: How fresh the feed has to be in the tests, in seconds, where it need not be by itself.
_ASKED_S = 1.0

#: How many jobs end at about the same time.
_MANY = 12


@attrs.define
class _Reader:
    """Keeps what a feed has reported.

    :param jobs: the jobs as of now.
    :param marks: each mark with the moment at which it came.
    :param at_mark: the jobs as of the last mark.
    """

    jobs: dict[str, JobInfo] = attrs.field(factory=dict)
    marks: list[tuple[Mark, float]] = attrs.field(factory=list)
    at_mark: dict[str, JobInfo] = attrs.field(factory=dict)

    def take(self, news: News) -> None:
        if isinstance(news, Mark):
            self.at_mark = dict(self.jobs)
            self.marks.append((news, time.monotonic()))
        elif isinstance(news, Removed):
            self.jobs.pop(news.jid, None)
        else:
            self.jobs[news.jid] = news

    def last_mark(self) -> float:
        """The moment until which all has been reported."""
        return max((mark.asked for mark, _ in self.marks), default=float("-inf"))


class FeedPromises:
    """What pman answers from, so that it need not ask the engine for each answer."""

    def test_a_feed_begins_with_all_jobs(self, harness: Harness) -> None:
        """Those that run and those that have ended, as their status is."""
        ended = harness.run(harness.place(), "exit", "3").jid
        running = harness.hold(harness.place()).jid
        with _feed(harness) as feed:
            _until_marked(harness, feed)
            _check(harness, feed, ended)
            _check(harness, feed, running)

    def test_a_feed_reports_what_changes(self, harness: Harness) -> None:
        """A job that is new, that begins, ends and is removed, before the next mark."""
        with _feed(harness) as feed:
            _until_marked(harness, feed)
            place = harness.place()
            jid = harness.hold(place).jid
            _until_marked(harness, feed)
            _check(harness, feed, jid)
            place.release()
            harness.end_of(jid)
            _until_marked(harness, feed)
            _check(harness, feed, jid)
            assert harness.backend.remove(jid)
            _until_marked(harness, feed)
            assert jid not in feed.at_mark, "a job that was removed is still reported"

    def test_a_feed_reports_a_cancellation(self, harness: Harness) -> None:
        """As the status does, before the next mark."""
        jid = harness.hold(harness.place()).jid
        with _feed(harness) as feed:
            _until_marked(harness, feed)
            harness.cancel(jid)
            _until_marked(harness, feed)
            _check(harness, feed, jid)

    def test_a_feed_reports_a_job_whose_id_is_used_again(self, harness: Harness) -> None:
        """By another process: the new job takes the place of the old one."""
        first = harness.run(harness.place(), "exit", "0")
        other = harness.fresh()
        with _feed(harness) as feed:
            _until_marked(harness, feed)
            assert other.remove(first.jid)
            again = harness.job(harness.place(), "exit", "4", jid=first.jid)
            harness.submit(again, other)
            harness.end_of(first.jid, other)
            _until_marked(harness, feed)
            _check(harness, feed, first.jid)
            assert feed.at_mark[first.jid].fingerprint == again.fingerprint

    def test_a_feed_misses_none_of_many_changes(self, harness: Harness) -> None:
        """Although many jobs end at about the same time."""
        with _feed(harness) as feed:
            _until_marked(harness, feed)
            jobs = [harness.job(harness.place(), "exit", str(code)) for code in range(_MANY)]
            for job in jobs:
                harness.submit(job)
            for job in jobs:
                harness.end_of(job.jid)
            _until_marked(harness, feed)
            for job in jobs:
                _check(harness, feed, job.jid)

    def test_marks_go_on_while_nothing_happens(self, harness: Harness) -> None:
        """Each is of a later moment than the one before, and of none that is yet to come."""
        freshness_s = _freshness_s(harness)
        with _feed(harness) as feed:
            marks = harness.until("six marks", lambda: list(feed.marks), lambda seen: len(seen) > 5)
            moments = [mark.asked for mark, _ in marks]
            assert moments == sorted(set(moments))
            assert all(mark.asked < came for mark, came in marks), "a mark of the future"
            harness.until(
                f"a mark that is younger than {freshness_s:g} s when it comes",
                lambda: min(came - mark.asked for mark, came in feed.marks),
                lambda age: age < freshness_s,
            )

    def test_there_are_no_marks_while_the_engine_is_down(self, harness: Harness) -> None:
        """A mark would say that nothing has changed, which nobody can know."""
        subject = harness.subject
        if subject.stop_engine is None or subject.start_engine is None:
            harness.not_run("the subject has no stop_engine and start_engine")
        freshness_s = _freshness_s(harness)
        jid = harness.run(harness.place(), "exit", "0").jid
        with _feed(harness) as feed:
            _until_marked(harness, feed)
            subject.stop_engine()
            try:
                down = time.monotonic()
                ends = down + 2 * freshness_s
                harness.until("the time of some marks", time.monotonic, lambda now: now > ends)
                up = time.monotonic()
            finally:
                subject.start_engine()
        assert not [mark for mark, _ in feed.marks if down <= mark.asked < up]
        with _feed(harness) as feed:
            _until_marked(harness, feed)
            _check(harness, feed, jid)

    def test_a_feed_holds_no_job_of_another_instance(self, harness: Harness) -> None:
        """Two pmans on one engine, with different INSTANCE."""
        other = harness.fresh(INSTANCE="conformance-other")
        before, later = (harness.job(harness.place(), "exit", "0") for _ in range(2))
        harness.submit(before, other)
        with _feed(harness) as feed:
            _until_marked(harness, feed)
            harness.submit(later, other)
            harness.end_of(later.jid, other)
            _until_marked(harness, feed)
            assert not feed.at_mark.keys() & {before.jid, later.jid}


def _freshness_s(harness: Harness) -> float:
    freshness_s = harness.capabilities.freshness_s
    if freshness_s is None:
        harness.not_run("the backend declares no feed (freshness_s)")
    return min(freshness_s, _ASKED_S)


@contextlib.contextmanager
def _feed(harness: Harness) -> Iterator[_Reader]:
    """The feed of a plugin that knows nothing yet, read in a thread as the core does it."""
    backend, freshness_s = harness.fresh(), _freshness_s(harness)
    reader, stop = _Reader(), threading.Event()

    def read() -> None:
        while not stop.is_set():
            with contextlib.suppress(PmanError):
                feed = backend.watch(freshness_s)
                assert feed is not None
                reader.jobs.clear()
                with contextlib.closing(feed):
                    for news in feed:
                        if stop.is_set():
                            return
                        reader.take(news)
            stop.wait(0.1)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield reader
    finally:
        stop.set()
        thread.join(harness.subject.patience_s)


def _until_marked(harness: Harness, feed: _Reader) -> None:
    """Wait until all has been reported that the engine has now."""
    now = time.monotonic()
    harness.until("a mark of the feed", feed.last_mark, lambda asked: asked > now)


def _check(harness: Harness, feed: _Reader, jid: str) -> None:
    """Of a job the same is reported as its status is, once it is known to begin."""
    info = harness.status(jid)
    assert info.status is not Status.NOT_STARTED
    assert feed.at_mark.get(jid) == info, "the feed reports something else than the status"
