"""Promise 11: an engine that is down or has crashed is reported, and nothing is lost."""

from __future__ import annotations

import pytest

from pman_core.contract.errors import EngineUnavailableError
from pman_core.contract.info import JobFilter, Status
from pman_core.testing.conformance.workbench import Workbench, end_of


class EnginePromises:
    """The engine itself."""

    def test_ping_names_the_engine(self, bench: Workbench) -> None:
        """For a person."""
        assert bench.backend.ping().strip()

    def test_an_engine_that_is_down_is_reported_and_nothing_is_lost(self, bench: Workbench) -> None:
        """Every hook says so within the time-out; afterwards everything works again."""
        stop, start = bench.subject.stop_engine, bench.subject.start_engine
        if stop is None or start is None:
            bench.not_run("the subject has no stop_engine and start_engine")
        place = bench.place()
        running = bench.hold(place)
        ended = bench.run(bench.place(), "exit", "3")
        late = bench.job(bench.place(), "exit", "0")
        stop()
        try:
            backend = bench.backend
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
        assert bench.backend.ping()
        assert bench.status(ended.jid).exit_code == 3
        bench.submit(late)
        assert bench.end_of(late.jid).status is Status.SUCCEEDED
        place.release()
        assert bench.end_of(running.jid).status is Status.SUCCEEDED

    def test_an_engine_that_crashes_loses_and_repeats_no_job(self, bench: Workbench) -> None:
        """What has ended keeps its end, and what has not is still known. No job runs twice."""
        subject = bench.subject
        if subject.crash_engine is None or subject.start_engine is None:
            bench.not_run("the subject has no crash_engine and start_engine")
        ended = bench.run(bench.place(), "exit", "3")
        place = bench.place()
        job = bench.job(place, "hold", place.job_out)
        bench.submit(job)
        bench.until_running(job.jid, place)
        running = place.local_out / "running"
        running.unlink()
        waiting = subject.unplaceable and subject.unplaceable(bench.job(bench.place(), "exit", "0"))
        if waiting:
            bench.submit(waiting)
        try:
            subject.crash_engine()
        finally:
            subject.start_engine()
        assert end_of(bench.status(ended.jid)) == end_of(ended)
        assert bench.submit(job).fingerprint == job.fingerprint
        place.release()
        info = bench.end_of(job.jid)
        assert info.status is Status.SUCCEEDED or info.message
        bench.until("all runs to end", place.is_held, lambda held: not held)
        assert not running.exists(), "the job ran a second time"
        if waiting:
            bench.status(waiting.jid)
            bench.backend.remove(waiting.jid)  # some engines have others wait behind it
        assert bench.run(bench.place(), "exit", "0").status is Status.SUCCEEDED
