"""What is reported of a job follows from the job and from how it ended."""

from datetime import UTC, datetime, timedelta

import pytest

from pman_core import Job, Reason, Status
from pman_core.kit import job_info
from pman_core.kit.outcome import Outcome, cannot_start, exited, not_started_in_time

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(seconds=9), NOW - timedelta(seconds=9)
JOB = Job(jid="j", image="i", argv=("a", "b"), labels={"k": "v"}, owner="o", fingerprint="v1-f")
WAITING = job_info.waiting(JOB, "pulling", Reason.PULLING, created=NOW, native="n")


def test_a_waiting_job_has_all_that_the_job_has() -> None:
    assert (WAITING.jid, WAITING.image, WAITING.argv) == ("j", "i", ("a", "b"))
    assert (dict(WAITING.labels), WAITING.owner, WAITING.fingerprint) == ({"k": "v"}, "o", "v1-f")
    assert (WAITING.status, WAITING.reason) == (Status.NOT_STARTED, Reason.PULLING)
    assert (WAITING.message, WAITING.created, WAITING.native) == ("pulling", NOW, "n")


@pytest.mark.parametrize(("time", "started"), [(LATER, LATER), (EARLIER, NOW), (None, None)])
def test_a_job_does_not_start_before_it_was_created(
    time: datetime | None, started: datetime | None
) -> None:
    info = job_info.running(WAITING, time)
    assert (info.status, info.message, info.reason) == (Status.STARTED, "running", None)
    assert info.started == started


def test_an_ended_job_has_its_outcome() -> None:
    info = job_info.ended(job_info.running(WAITING, LATER), exited(3), LATER)
    assert (info.status, info.reason, info.exit_code) == (Status.FAILED, Reason.EXIT_CODE, 3)
    assert (info.message, info.started, info.finished) == ("exited with code 3", LATER, LATER)


def test_a_job_does_not_end_before_it_starts() -> None:
    running = job_info.running(WAITING, LATER)
    assert job_info.ended(running, exited(0), NOW).finished == LATER
    assert job_info.ended(WAITING, exited(0), EARLIER).finished == NOW
    assert job_info.ended(WAITING, exited(0), None).finished is None


@pytest.mark.parametrize("outcome", [cannot_start("no"), not_started_in_time(1, "pulling")])
def test_a_job_that_never_ran_has_no_time_of_start(outcome: Outcome) -> None:
    info = job_info.ended(job_info.running(WAITING, LATER), outcome, LATER)
    assert (info.started, info.finished) == (None, LATER)


def test_a_job_is_overdue_once_it_has_waited_for_longer_than_its_deadline() -> None:
    assert job_info.overdue(WAITING, NOW + timedelta(seconds=5), 5) is None
    late = job_info.overdue(WAITING, NOW + timedelta(seconds=6), 5)
    assert late == not_started_in_time(5, "pulling")
    assert job_info.overdue(job_info.running(WAITING), NOW + timedelta(seconds=6), 5) is None
