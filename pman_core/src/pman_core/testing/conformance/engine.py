"""Promise 11: an engine that is down or has crashed is reported, and nothing is lost."""

from __future__ import annotations

import pytest

from pman_core.contract.errors import EngineUnavailableError
from pman_core.contract.info import JobFilter, Status
from pman_core.testing.conformance.harness import Harness, end_of


class EnginePromises:
    """The engine itself."""

    def test_ping_names_the_engine(self, harness: Harness) -> None:
        """For a person."""
        assert harness.backend.ping().strip()

    def test_an_engine_that_is_down_is_reported_and_nothing_is_lost(self, harness: Harness) -> None:
        """Every hook says so within the time-out; afterwards everything works again."""
        stop, start = harness.subject.stop_engine, harness.subject.start_engine
        if stop is None or start is None:
            harness.not_run("the subject has no stop_engine and start_engine")
        place = harness.place()
        running = harness.hold(place)
        ended = harness.run(harness.place(), "exit", "3")
        late = harness.job(harness.place(), "exit", "0")
        stop()
        try:
            backend = harness.backend
            for ask in (
                backend.ping,
                lambda: backend.status(running.jid),
                lambda: backend.submit(late),
                lambda: backend.cancel(running.jid),
                lambda: backend.remove(ended.jid),
                lambda: backend.list(JobFilter(), 10, None),
            ):
                with pytest.raises(EngineUnavailableError) as caught:
                    ask()
                assert str(caught.value)
        finally:
            start()
        assert harness.backend.ping()
        assert harness.status(ended.jid).exit_code == 3
        harness.submit(late)
        assert harness.end_of(late.jid).status is Status.SUCCEEDED
        place.release()
        assert harness.end_of(running.jid).status is Status.SUCCEEDED

    def test_an_engine_that_crashes_loses_and_repeats_no_job(self, harness: Harness) -> None:
        """What has ended keeps its end, and what has not is still known. No job runs twice."""
        subject = harness.subject
        if subject.crash_engine is None or subject.start_engine is None:
            harness.not_run("the subject has no crash_engine and start_engine")
        ended = harness.run(harness.place(), "exit", "3")
        place = harness.place()
        job = harness.job(place, "hold", place.job_out)
        harness.submit(job)
        harness.until_running(job.jid, place)
        running = place.local_out / "running"
        running.unlink()
        waiting = subject.unplaceable and subject.unplaceable(
            harness.job(harness.place(), "exit", "0")
        )
        if waiting:
            harness.submit(waiting)
        try:
            subject.crash_engine()
        finally:
            subject.start_engine()
        assert end_of(harness.status(ended.jid)) == end_of(ended)
        assert harness.submit(job).fingerprint == job.fingerprint
        place.release()
        info = harness.end_of(job.jid)
        assert info.status is Status.SUCCEEDED or info.message
        harness.until("all runs to end", place.is_held, lambda held: not held)
        assert not running.exists(), "the job ran a second time"
        if waiting:
            harness.status(waiting.jid)
            harness.backend.remove(waiting.jid)  # some engines have others wait behind it
        assert harness.run(harness.place(), "exit", "0").status is Status.SUCCEEDED
