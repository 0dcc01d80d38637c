"""Promise 3: the states of a job, its end, and the message about it."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest

from pman_core.contract.capabilities import Deviation, Option
from pman_core.contract.errors import ClientError
from pman_core.contract.info import Reason, Status
from pman_core.contract.job import Job
from pman_core.kit.causes import cause_named
from pman_core.testing.conformance.harness import Harness, end_of
from pman_core.testing.conformance.marks import weakened_by
from pman_core.testing.faulty_registry import FAULTS


class LifecyclePromises:
    """From submission to end."""

    def test_success_is_reported(self, harness: Harness) -> None:
        """Exit code 0 of the main process is success."""
        info = harness.run(harness.place(), "exit", "0")
        assert (info.status, info.exit_code, info.reason) == (Status.SUCCEEDED, 0, None)

    @pytest.mark.parametrize("code", [1, 3, 137])
    def test_an_exit_code_is_reported(self, harness: Harness, code: int) -> None:
        """Any other code is an error; the message names it."""
        info = harness.run(harness.place(), "exit", str(code))
        assert (info.status, info.exit_code) == (Status.FAILED, code)
        assert info.reason in (Reason.EXIT_CODE, Reason.KILLED), info
        assert str(code) in info.message

    def test_a_signal_is_reported(self, harness: Harness) -> None:
        """A main process that a signal ended is an error, with the exit code that shells use.

        Without an init the signal has no effect, and the probe ends with 99.
        """
        info = harness.run(harness.place(), "die", str(int(signal.SIGKILL)))
        assert info.status is Status.FAILED, info
        assert info.exit_code in (128 + signal.SIGKILL, 99), info
        assert info.message

    def test_descendants_of_a_job_end_with_it(self, harness: Harness) -> None:
        """Nothing runs on when the main process has ended."""
        place = harness.place()
        info = harness.run(place, "leave", place.job_out)
        assert info.status is Status.SUCCEEDED, info
        assert (place.local_out / "running").exists()
        harness.until("the descendant to end", place.is_held, lambda held: not held)

    def test_a_bad_executable_is_reported(self, harness: Harness) -> None:
        """The message names the word that could not be run."""
        place = harness.place()
        job = harness.job(place, "exit", "0", argv=("no-such-executable", "argument"))
        harness.submit(job)
        info = harness.end_of(job.jid)
        assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START), info
        assert "no-such-executable" in info.message

    def test_a_job_that_could_not_start_has_a_time_of_end(self, harness: Harness) -> None:
        """It never ran, and ended all the same."""
        job = harness.job(harness.place(), "exit", "0", argv=("no-such-executable",))
        harness.submit(job)
        info = harness.end_of(job.jid)
        assert info.finished is not None, info
        assert info.created is None or info.created <= info.finished, info

    @weakened_by(Deviation.NO_INIT)
    def test_orphans_are_reaped_and_own_signals_arrive(self, harness: Harness) -> None:
        """The main process need not care for what an init does on any machine."""
        orphans = harness.run(harness.place(), "orphans", "3")
        signalled = harness.run(harness.place(), "die", str(int(signal.SIGTERM)))
        if harness.deviates(Deviation.NO_INIT):
            return
        assert orphans.status is Status.SUCCEEDED, "processes without a parent were not reaped"
        assert signalled.exit_code == 128 + signal.SIGTERM, signalled

    def test_a_running_job_is_started(self, harness: Harness) -> None:
        """It has a time of start and no end, until it ends."""
        place = harness.place()
        info = harness.hold(place)
        assert info.status is Status.STARTED, info
        assert info.started is not None
        assert (info.finished, info.exit_code) == (None, None)
        place.release()
        assert harness.end_of(info.jid).status is Status.SUCCEEDED

    def test_the_end_stays(self, harness: Harness) -> None:
        """Every later question gets the same end."""
        first = harness.run(harness.place(), "exit", "3")
        for _ in range(3):
            assert end_of(harness.fresh().status(first.jid)) == end_of(first)

    @weakened_by(Deviation.RESTARTABLE)
    def test_an_end_stays_when_the_job_is_started_again(self, harness: Harness) -> None:
        """An operator who starts everything that has ended changes nothing of what was reported."""
        if harness.subject.restart_run is None:
            harness.not_run("the subject has no restart_run")
        first = harness.run(harness.place(), "exit", "3")
        harness.subject.restart_run(first)
        again = harness.fresh().status(first.jid)
        assert harness.deviates(Deviation.RESTARTABLE) or end_of(again) == end_of(first)

    @weakened_by(Deviation.START_NOT_REPORTED)
    def test_times_are_in_utc_and_in_order(self, harness: Harness) -> None:
        """Created, started, finished."""
        info = harness.run(harness.place(), "exit", "0")
        times = [info.created, info.started, info.finished]
        if harness.deviates(Deviation.START_NOT_REPORTED) and info.started is None:
            del times[1]
        assert all(moment and moment.utcoffset() == timedelta(0) for moment in times), info
        assert times == sorted(moment for moment in times if moment), info

    def test_every_worker_runs(self, harness: Harness) -> None:
        """As many copies as were asked for; the job ends when all have ended."""
        harness.needs(Option.WORKERS)
        place = harness.place()
        job = harness.job(place, "worker", place.job_out)
        harness.submit(harness.resources(job, workers=2))
        assert harness.end_of(job.jid).status is Status.SUCCEEDED
        assert len(list(place.local_out.glob("worker-*"))) == 2

    def test_failing_workers_fail_the_job(self, harness: Harness) -> None:
        """Success is success of all."""
        harness.needs(Option.WORKERS)
        job = harness.job(harness.place(), "exit", "4")
        harness.submit(harness.resources(job, workers=2))
        assert harness.end_of(job.jid).status is Status.FAILED

    @weakened_by(Deviation.SECOND_RUN_WINDOW)
    def test_a_lost_run_is_reported_and_not_repeated(self, harness: Harness) -> None:
        """What an engine loses is an error; the job does not run a second time."""
        if harness.subject.lose_run is None:
            harness.not_run("the subject has no lose_run")
        place = harness.place()
        job = harness.job(place, "hold", place.job_out)
        harness.submit(job)
        harness.until_running(job.jid, place)
        running = place.local_out / "running"
        running.unlink()
        harness.subject.lose_run(harness.status(job.jid))
        info = harness.end_of(job.jid)
        assert info.status is Status.FAILED, info
        assert info.message
        harness.until("all runs to end", place.is_held, lambda held: not held)
        if not harness.deviates(Deviation.SECOND_RUN_WINDOW):
            assert not running.exists(), "the job ran a second time"


class WaitingPromises:
    """Promise 4: what waits says why, and not for ever."""

    def test_a_missing_image_is_reported(self, harness: Harness) -> None:
        """At once or at the deadline: refused, or failed with a message."""
        backend = harness.fresh(START_DEADLINE="3")
        job = harness.job(harness.place(), "exit", "0", image=harness.subject.missing_image)
        try:
            harness.submit(job, backend)
        except ClientError as error:
            assert str(error)
            return
        info = harness.end_of(job.jid, backend)
        assert info.status is Status.FAILED, info
        assert info.reason in (Reason.IMAGE_NOT_FOUND, Reason.START_DEADLINE), info
        assert info.message

    @pytest.mark.parametrize("fault", sorted(FAULTS))
    @weakened_by(Deviation.PULL_NOT_RETRIED)
    def test_why_an_image_cannot_be_had_is_reported(self, harness: Harness, fault: str) -> None:
        """What no waiting mends fails the job, in the words of every engine; the rest waits."""
        if harness.subject.faulty_image is None:
            harness.not_run("the subject has no faulty_image")
        cause = cause_named(FAULTS[fault])
        with harness.subject.faulty_image(fault) as image:
            job = harness.job(harness.place(), "exit", "0", image=image)
            harness.submit(job)
            info = harness.until(
                "the cause",
                lambda: harness.status(job.jid),
                lambda info: info.status.is_final or cause.wording in info.message,
            )
        if harness.deviates(Deviation.PULL_NOT_RETRIED):
            assert (info.status, info.reason) == (Status.FAILED, Reason.IMAGE_NOT_FOUND), info
            return
        assert info.status is (Status.FAILED if cause.is_final else Status.NOT_STARTED), info
        assert info.reason is cause.reason, info
        assert cause.wording in info.message, info

    def test_a_job_that_waits_says_why(self, harness: Harness) -> None:
        """It is not started, with the reason in the message."""
        job = self._waiting(harness)
        harness.submit(job)
        info = harness.until(
            "a reason", lambda: harness.status(job.jid), lambda info: info.reason is not None
        )
        assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED), info
        assert info.message

    def test_a_job_that_waits_too_long_is_ended(self, harness: Harness) -> None:
        """After START_DEADLINE it is an error, and stays one for a pman with another."""
        job = self._waiting(harness)
        backend = harness.fresh(START_DEADLINE="2")
        harness.submit(job, backend)
        info = harness.end_of(job.jid, backend)
        assert (info.status, info.reason) == (Status.FAILED, Reason.START_DEADLINE), info
        assert end_of(harness.fresh().status(job.jid)) == end_of(info)

    @staticmethod
    def _waiting(harness: Harness) -> Job:
        if harness.subject.unplaceable is None:
            harness.not_run("the subject has no unplaceable: this engine lets no job wait")
        place = harness.place()
        return harness.subject.unplaceable(harness.job(place, "count", place.job_out))
