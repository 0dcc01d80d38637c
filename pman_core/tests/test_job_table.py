"""The job table answers only while it is sure, and whoever gets no answer asks the engine."""

import multiprocessing
import os
import time
from datetime import UTC, datetime

import attrs
import pytest
from rest_helpers import until
from writes_helpers import note, note_until

from pman_core import JobInfo, Status
from pman_core._internal import job_table
from pman_core._internal.job_table import JobTable
from pman_core._internal.writes import Writes
from pman_core.contract.feed import Mark, Removed

RUNNING = JobInfo(
    jid="a",
    image="",
    argv=(),
    status=Status.STARTED,
    message="running",
    fingerprint="",
    created=datetime(2026, 1, 1, tzinfo=UTC),
)
ENDED = attrs.evolve(RUNNING, status=Status.SUCCEEDED, message="done")


def now() -> float:
    return time.monotonic()


@pytest.fixture
def writes() -> Writes:
    return Writes()


@pytest.fixture
def table(writes: Writes) -> JobTable:
    """A table that has just been told of a job that runs."""
    made = JobTable(60.0, writes)
    made.begin()
    made.take(RUNNING)
    made.take(Mark(now()))
    return made


def test_a_job_is_known_from_the_first_mark_on() -> None:
    table = JobTable(60.0, Writes())
    assert table.get("a") is None
    table.begin()
    table.take(RUNNING)
    assert table.get("a") is None
    table.take(Mark(now()))
    assert table.get("a") == RUNNING


def test_what_changes_is_known_before_the_next_mark(table: JobTable) -> None:
    table.take(ENDED)
    assert table.get("a") == ENDED
    table.take(Removed("a"))
    assert table.get("a") is None


def test_nothing_is_answered_that_is_older_than_it_may_be(writes: Writes) -> None:
    table = JobTable(5.0, writes)
    table.begin()
    table.take(RUNNING)
    table.take(Mark(now() - 6.0))
    assert table.get("a") is None
    table.take(Mark(now() - 4.0))
    assert table.get("a") == RUNNING


def test_a_job_that_waits_is_asked_for(table: JobTable) -> None:
    table.take(attrs.evolve(RUNNING, status=Status.NOT_STARTED))
    assert table.get("a") is None


def test_a_job_that_was_changed_is_asked_for_until_the_feed_knows(
    table: JobTable, writes: Writes
) -> None:
    asked = now()
    writes.note("a")
    assert table.get("a") is None
    table.take(Mark(asked))
    assert table.get("a") is None
    table.take(ENDED)
    table.take(Mark(now() + 0.01))  # a change counts for some milliseconds more
    assert table.get("a") == ENDED


def test_no_answer_is_older_than_one_that_the_engine_gave(table: JobTable) -> None:
    asked = now()
    table.answered("a", ENDED)
    assert table.get("a") is None
    table.take(Mark(asked))
    assert table.get("a") is None
    table.take(ENDED)
    table.take(Mark(now()))
    assert table.get("a") == ENDED


def test_a_job_that_the_engine_has_no_more_is_not_answered(table: JobTable) -> None:
    table.answered("a", None)
    assert table.get("a") is None


def test_a_mark_that_comes_while_a_question_is_answered_lets_nothing_old_out(
    table: JobTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def last(jid: str) -> float:
        table.take(ENDED)
        table.take(Mark(now()))
        return 0.0

    table.answered("a", ENDED)
    monkeypatch.setattr(table._writes, "last", last)
    assert table.get("a") in (None, ENDED)


def test_an_answer_that_says_the_same_changes_nothing(table: JobTable) -> None:
    table.answered("a", RUNNING)
    assert table.get("a") == RUNNING


def test_disputes_fill_no_memory(table: JobTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_table, "_MOST_DISPUTED", 10)
    table.answered("a", ENDED)
    for number in range(20):
        table.answered(f"unknown-{number}", ENDED)
    assert len(table._disputed) <= 10
    assert table.get("a") is None
    table.take(Mark(now()))
    assert table.get("a") == RUNNING


def test_a_new_feed_takes_the_place_of_the_old_one_at_its_first_mark(table: JobTable) -> None:
    table.begin()
    table.take(attrs.evolve(RUNNING, jid="b"))
    assert (table.get("a"), table.get("b")) == (RUNNING, None)
    table.take(Mark(now()))
    assert (table.get("a"), table.get("b")) == (None, attrs.evolve(RUNNING, jid="b"))


def test_a_question_and_an_unfinished_job_keep_the_feed_awake(table: JobTable) -> None:
    table.wanted.clear()
    unfinished = [table.has_unfinished]
    table.take(ENDED)
    unfinished.append(table.has_unfinished)
    assert unfinished == [True, False]
    table.get("a")
    assert table.wanted.is_set()


def test_processes_know_of_the_changes_of_one_another(writes: Writes) -> None:
    begun = now()
    assert writes.last("a") == 0.0
    spawned = multiprocessing.get_context("spawn").Process(target=note, args=(writes,))
    spawned.start()
    spawned.join()
    assert spawned.exitcode == 0
    assert begun <= writes.last("a") <= now() + 0.01
    assert Writes().last("a") == 0.0


def test_changes_are_noted_where_memory_has_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on other systems than Linux."""
    monkeypatch.delattr(os, "memfd_create")
    writes = Writes()
    writes.note("a")
    assert writes.last("a") > 0


def test_a_change_is_never_missed_while_others_are_noted(writes: Writes) -> None:
    writes.note("a")
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    busy = context.Process(target=note_until, args=(writes, stop))
    busy.start()
    try:
        before = writes.last("a")
        last = until(lambda: writes.last("a"), lambda seen: seen != before)
        for _ in range(200_000):
            seen = writes.last("a")
            assert seen >= last - 0.01, "an earlier moment took the place of a later one"
            last = max(last, seen)
    finally:
        stop.set()
        busy.join()


def test_any_id_can_be_noted(writes: Writes) -> None:
    for jid in ("", "é", "x" * 200, "\udc80"):
        writes.note(jid)
        assert writes.last(jid) > 0
