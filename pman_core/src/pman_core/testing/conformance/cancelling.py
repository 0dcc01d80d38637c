"""Promise 12: a job that is cancelled has ended, and is kept."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pman_core.contract.errors import UnknownJobError
from pman_core.contract.info import JobInfo, Reason, Status
from pman_core.testing.conformance.harness import Harness, end_of


class CancelPromises:
    """Cancellation."""

    def test_a_cancelled_job_has_ended_and_is_kept_with_its_log(self, harness: Harness) -> None:
        """Every later question gets that answer, and nothing of it runs on."""
        place = harness.place()
        running = harness.hold(place)
        harness.logs_with(running, b"holding")
        info = harness.cancel(running.jid)
        _assert_cancelled(info)
        harness.until("the process to end", place.is_held, lambda held: not held)
        assert end_of(harness.fresh().status(info.jid)) == end_of(info)
        assert b"holding" in harness.logs(harness.status(info.jid))

    def test_cancelling_what_has_ended_changes_nothing(self, harness: Harness) -> None:
        """Whether it succeeded, failed or could not start."""
        jobs = [
            harness.job(harness.place(), "exit", "0"),
            harness.job(harness.place(), "exit", "3"),
            harness.job(harness.place(), "exit", "0", argv=("no-such-executable",)),
        ]
        for job in jobs:
            harness.submit(job)
            ended = harness.end_of(job.jid)
            assert end_of(harness.cancel(job.jid)) == end_of(ended)
            assert end_of(harness.fresh().status(job.jid)) == end_of(ended)

    def test_cancelling_twice_answers_the_same(self, harness: Harness) -> None:
        """Also where eight do at once."""
        info = harness.hold(harness.place())
        backends = [harness.fresh() for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            seen = list(pool.map(lambda backend: backend.cancel(info.jid), backends))
        seen.append(harness.cancel(info.jid))
        _assert_cancelled(seen[0])
        assert {end_of(each) for each in seen} == {end_of(seen[0])}

    def test_a_job_that_waits_and_is_cancelled_never_starts(self, harness: Harness) -> None:
        """Until then its message says why it waits."""
        if harness.subject.unplaceable is None:
            harness.not_run("the subject has no unplaceable: this engine lets no job wait")
        place = harness.place()
        job = harness.subject.unplaceable(harness.job(place, "count", place.job_out))
        harness.submit(job)
        _assert_cancelled(harness.cancel(job.jid))
        assert harness.status(job.jid).started is None
        assert place.runs() == 0

    def test_a_job_can_be_cancelled_at_once(self, harness: Harness) -> None:
        """Before it has had time to start."""
        place = harness.place()
        job = harness.job(place, "hold", place.job_out)
        harness.submit(job)
        _assert_cancelled(harness.cancel(job.jid))
        harness.until("the process to end", place.is_held, lambda held: not held)

    def test_a_job_that_ends_while_it_is_cancelled_has_one_end(self, harness: Harness) -> None:
        """Its own or that of the cancellation, but the same for everybody, and for good."""
        dice = random.Random(30)  # noqa: S311 - the same moments in every run
        for _ in range(10):
            place = harness.place()
            running = harness.hold(place)
            place.release()
            time.sleep(dice.uniform(0.0, 0.1))  # the moment of the end is what this varies
            info = harness.cancel(running.jid)
            assert info.status is Status.SUCCEEDED or info.reason is Reason.CANCELLED, info
            assert end_of(harness.fresh().status(info.jid)) == end_of(info)

    def test_a_cancelled_job_is_found_and_not_run_again(self, harness: Harness) -> None:
        """An equal request is answered with it."""
        place = harness.place()
        job = harness.job(place, "hold", place.job_out)
        harness.submit(job)
        harness.until_running(job.jid, place)
        info = harness.cancel(job.jid)
        (place.local_out / "running").unlink()
        again = harness.submit(job, harness.fresh())
        assert (end_of(again), again.fingerprint) == (end_of(info), job.fingerprint)
        assert not (place.local_out / "running").exists()

    def test_a_cancelled_job_can_be_removed(self, harness: Harness) -> None:
        """Its id can be used again at once."""
        running = harness.hold(harness.place())
        harness.cancel(running.jid)
        assert harness.backend.remove(running.jid) is True
        with pytest.raises(UnknownJobError):
            harness.backend.cancel(running.jid)
        harness.submit(harness.job(harness.place(), "exit", "0", jid=running.jid))
        assert harness.end_of(running.jid).status is Status.SUCCEEDED

    def test_a_removal_at_the_same_time_wins(self, harness: Harness) -> None:
        """The job is gone, whatever the cancellation answers."""
        for _ in range(5):
            place = harness.place()
            running = harness.hold(place)
            with ThreadPoolExecutor(2) as pool:
                cancelled = pool.submit(harness.fresh().cancel, running.jid)
                removed = pool.submit(harness.fresh().remove, running.jid)
            assert removed.result() is True
            error = cancelled.exception()
            assert error is None or isinstance(error, UnknownJobError), error
            with pytest.raises(UnknownJobError):
                harness.backend.status(running.jid)
            harness.until("the process to end", place.is_held, lambda held: not held)

    def test_only_jobs_of_this_pman_are_cancelled(self, harness: Harness) -> None:
        """Not an unknown one, nor that of another instance."""
        with pytest.raises(UnknownJobError):
            harness.backend.cancel("nobody")
        place = harness.place()
        info = harness.hold(place)
        with pytest.raises(UnknownJobError):
            harness.fresh(INSTANCE="conformance-other").cancel(info.jid)
        place.release()
        assert harness.end_of(info.jid).status is Status.SUCCEEDED

    def test_a_killed_pman_leaves_no_half_cancelled_job(self, harness: Harness) -> None:
        """Killed at any moment of a cancellation; the client then repeats it."""
        if not harness.subject.other_process:
            harness.not_run("the jobs of this backend live in the memory of one process")
        dice = random.Random(40)  # noqa: S311 - the same moments in every run
        for _ in range(6):
            place = harness.place()
            job = harness.job(place, "hold", place.job_out)
            harness.submit(job)
            harness.until_running(job.jid, place)
            assert harness.begin_and_kill(job, dice.uniform(0.0, 0.3), cancels=True)
            seen = harness.status(job.jid)
            assert seen.status is Status.STARTED or seen.reason is Reason.CANCELLED, seen
            _assert_cancelled(harness.cancel(job.jid))
            harness.until("the process to end", place.is_held, lambda held: not held)


def _assert_cancelled(info: JobInfo) -> None:
    assert (info.status, info.reason) == (Status.FAILED, Reason.CANCELLED), info
    assert (info.message, info.exit_code) == ("cancelled", None), info
    assert info.finished is not None, info
