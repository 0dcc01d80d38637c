"""Promise 11: an engine that is down is told, and nothing is lost."""

from __future__ import annotations

import pytest

from pman_core.errors import EngineUnavailableError
from pman_core.info import JobFilter, Status
from pman_core.testing.conformance.workbench import Workbench


class EnginePromises:
    """The engine itself."""

    def test_ping_names_the_engine(self, bench: Workbench) -> None:
        """For a person."""
        assert bench.backend.ping().strip()

    def test_an_engine_that_is_down_is_told_and_nothing_is_lost(self, bench: Workbench) -> None:
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
