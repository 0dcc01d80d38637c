"""The feed of a store: its cost does not grow with jobs that have ended."""

import os
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from jobs_kit import Harness, until

from pman_core import JobInfo
from pman_core.contract.errors import EngineUnavailableError
from pman_core.contract.feed import Mark, News, Removed
from pman_kit import feed as feed_module
from pman_kit.feed import StoreFeed


@attrs.define
class Looking:
    """The feed of the harness's jobs, that counts which of them it looks at."""

    harness: Harness
    looked: list[str] = attrs.field(factory=list)

    def feed(self) -> Iterator[News]:
        def look(name: str) -> JobInfo | None:
            self.looked.append(name)
            return self.harness.jobs._look(name)

        return StoreFeed(self.harness.jobs.store, look).news(0.02)


def until_mark(feed: Iterator[News]) -> list[JobInfo | Removed]:
    """What the feed reports until its next mark."""
    found: list[JobInfo | Removed] = []
    for news in feed:
        if isinstance(news, Mark):
            break
        found.append(news)
    return found


@pytest.fixture
def looking(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Looking:
    monkeypatch.setattr(feed_module, "_TICK_NS", 0)
    return Looking(harness)


def test_a_job_that_has_ended_is_not_looked_at_again(looking: Looking) -> None:
    info = looking.harness.run(looking.harness.shell("true"))
    feed = looking.feed()
    assert until_mark(feed) == [info]
    looking.looked.clear()
    for _ in range(5):
        assert until_mark(feed) == []
    assert looking.looked == []


def test_a_job_that_comes_costs_one_look(looking: Looking) -> None:
    looking.harness.run(looking.harness.shell("true"))
    feed = looking.feed()
    until_mark(feed)
    until_mark(feed)
    looking.looked.clear()
    info = looking.harness.run(looking.harness.shell("true", jid="job-2"))
    until(lambda: until_mark(feed) == [info], "the new job")
    assert set(looking.looked) == {"job-2"}


def test_a_folder_that_is_no_job_is_looked_at_once(looking: Looking) -> None:
    store = looking.harness.jobs.store
    (store.root / "jobs" / "other").mkdir()
    feed = looking.feed()
    for _ in range(3):
        assert until_mark(feed) == []
    assert looking.looked == ["other"]


def test_a_job_that_takes_the_place_of_another_within_a_tick_is_reported(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of the file system is coarse: the folder of all jobs may show no change."""
    monkeypatch.setattr(feed_module, "_TICK_NS", 10**12)
    harness = looking.harness
    first = harness.run(harness.shell("true"))
    feed = looking.feed()
    assert until_mark(feed) == [first]
    monkeypatch.setattr(feed_module, "_TICK_NS", 0)  # only the time of the list counts
    jobs = harness.jobs.store.root / "jobs"
    before = os.stat(jobs)
    assert harness.jobs.remove(first.jid)
    second = harness.run(harness.shell("exit 3"))
    os.utime(jobs, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert until_mark(feed) == [second]


def test_a_store_that_cannot_be_read_ends_the_feed(looking: Looking, tmp_path: Path) -> None:
    feed = looking.feed()
    until_mark(feed)
    store = looking.harness.jobs.store
    (store.root / "jobs").rename(store.root / "away")
    try:
        with pytest.raises(EngineUnavailableError):
            until_mark(feed)
    finally:
        (store.root / "away").rename(store.root / "jobs")
