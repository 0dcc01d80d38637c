"""The list of jobs: each once, filtered, page by page."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator

import pytest

from pman_core.contract.capabilities import Option
from pman_core.contract.errors import InvalidJobError
from pman_core.contract.info import JobFilter, JobInfo, Status
from pman_core.testing.conformance.harness import Harness

#: What clients make up: among it names as engines have them.
NO_CURSORS = ("", "no such cursor", "zzz", "chris-jid-1", "0", "../..", "\x00", "é", "x" * 5000)


class ListPromises:
    """Lists."""

    def test_a_list_reports_what_the_status_reports(self, harness: Harness) -> None:
        """Of each job the same."""
        ended = harness.run(harness.place(), "exit", "3")
        listed = {info.jid: info for info in _all(harness, JobFilter(), 100)}
        assert listed[ended.jid] == harness.status(ended.jid)

    def test_pages_hold_every_job_once(self, harness: Harness) -> None:
        """Although others come and go between one page and the next."""
        jids = {harness.run(harness.place(), "exit", "0").jid for _ in range(6)}
        pages = _pages(harness, JobFilter(), 2)
        seen = list(next(pages))
        leaving = {info.jid for info in seen}
        for jid in leaving:
            harness.backend.remove(jid)
        harness.run(harness.place(), "exit", "0")
        for jobs in pages:
            assert len(jobs) <= 2
            seen += jobs
        counts = Counter(info.jid for info in seen)
        assert {jid: counts[jid] for jid in jids - leaving} == dict.fromkeys(jids - leaving, 1)

    def test_a_list_holds_no_job_of_another_instance(self, harness: Harness) -> None:
        """Two pmans on one engine, with different INSTANCE."""
        other = harness.fresh(INSTANCE="conformance-other")
        mine, theirs = (harness.job(harness.place(), "exit", "0") for _ in range(2))
        harness.submit(mine)
        harness.submit(theirs, other)
        own = {info.jid for info in harness.backend.list(JobFilter(), 1000, None).jobs}
        others = {info.jid for info in other.list(JobFilter(), 1000, None).jobs}
        assert (mine.jid in own, theirs.jid in own) == (True, False)
        assert (mine.jid in others, theirs.jid in others) == (False, True)

    def test_a_list_can_be_filtered_by_status(self, harness: Harness) -> None:
        """Only jobs in that state are listed."""
        failed = harness.run(harness.place(), "exit", "3").jid
        succeeded = harness.run(harness.place(), "exit", "0").jid
        listed = _all(harness, JobFilter(status=Status.FAILED), 1)
        assert {info.status for info in listed} == {Status.FAILED}
        jids = {info.jid for info in listed}
        assert failed in jids
        assert succeeded not in jids

    def test_a_list_can_be_filtered_by_labels(self, harness: Harness) -> None:
        """Only jobs that have all of them are listed."""
        harness.needs(Option.LABELS)
        mark = uuid.uuid4().hex
        wanted = {"conformance": mark, "kind": "wanted"}
        one = harness.run(harness.place(), "exit", "0", labels=wanted).jid
        harness.run(harness.place(), "exit", "0", labels={"conformance": mark, "kind": "other"})
        assert [info.jid for info in _all(harness, JobFilter(labels=wanted), 1)] == [one]

    @pytest.mark.parametrize("cursor", NO_CURSORS)
    def test_a_cursor_that_was_never_given_is_refused(self, harness: Harness, cursor: str) -> None:
        """A client may send anything, and an empty page would mean that it has seen all."""
        with pytest.raises(InvalidJobError) as caught:
            harness.backend.list(JobFilter(), 10, cursor)
        assert "cursor" in caught.value.faults, "the parameter that is to blame is named"

    def test_an_owner_is_given_back_and_can_be_listed(self, harness: Harness) -> None:
        """As it was in the job, to any plugin; a job may have none."""
        owner = f"Ünï {uuid.uuid4().hex} @x/y"
        theirs = harness.run(harness.place(), "exit", "0", owner=owner).jid
        nobodys = harness.run(harness.place(), "exit", "0").jid
        fresh = harness.fresh()
        assert (fresh.status(theirs).owner, fresh.status(nobodys).owner) == (owner, None)
        assert [info.jid for info in _all(harness, JobFilter(owner=owner), 1)] == [theirs]

    def test_an_empty_list_has_an_end(self, harness: Harness) -> None:
        """Or several empty ones, but an end."""
        harness.needs(Option.LABELS)
        nothing = JobFilter(labels={"nothing": uuid.uuid4().hex})
        assert _all(harness, nothing, 10) == []


def _all(harness: Harness, job_filter: JobFilter, limit: int) -> list[JobInfo]:
    return [info for jobs in _pages(harness, job_filter, limit) for info in jobs]


def _pages(harness: Harness, job_filter: JobFilter, limit: int) -> Iterator[tuple[JobInfo, ...]]:
    """Page after page, each from a plugin that knows only the cursor."""
    given: set[str | None] = {None}
    page = harness.backend.list(job_filter, limit, None)
    yield page.jobs
    while page.cursor is not None:
        assert page.cursor not in given, "the same cursor again: the list never ends"
        given.add(page.cursor)
        page = harness.fresh().list(job_filter, limit, page.cursor)
        yield page.jobs
