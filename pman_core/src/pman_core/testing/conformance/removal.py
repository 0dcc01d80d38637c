"""Promise 9: removal."""

from __future__ import annotations

import pytest

from pman_core.contract.errors import UnknownJobError
from pman_core.contract.info import JobFilter, Status
from pman_core.testing.conformance.workbench import Workbench


class RemovalPromises:
    """A job that is removed is gone."""

    def test_nothing_of_a_removed_job_runs_on(self, bench: Workbench) -> None:
        """Its process has ended when ``remove`` returns, or very soon after."""
        place = bench.place()
        info = bench.hold(place)
        assert place.is_held()
        assert bench.backend.remove(info.jid) is True
        bench.until("the process to end", place.is_held, lambda held: not held)
        _assert_gone(bench, info.jid)

    def test_descendants_of_a_removed_job_end_with_it(self, bench: Workbench) -> None:
        """Also those that have left their parent and their session."""
        place = bench.place()
        job = bench.job(place, "leave", place.job_out, "stay")
        bench.submit(job)
        bench.until_running(job.jid, place)
        assert place.is_held()
        assert bench.backend.remove(job.jid) is True
        bench.until("the descendant to end", place.is_held, lambda held: not held)

    def test_an_ended_job_can_be_removed(self, bench: Workbench) -> None:
        """Whether it succeeded or failed."""
        for code in ("0", "3"):
            info = bench.run(bench.place(), "exit", code)
            assert bench.backend.remove(info.jid) is True
            _assert_gone(bench, info.jid)

    def test_a_job_that_could_not_start_can_be_removed(self, bench: Workbench) -> None:
        """Likewise."""
        job = bench.job(bench.place(), "exit", "0", argv=("no-such-executable",))
        bench.submit(job)
        bench.end_of(job.jid)
        assert bench.backend.remove(job.jid) is True
        _assert_gone(bench, job.jid)

    def test_a_job_can_be_removed_at_once(self, bench: Workbench) -> None:
        """Before it has had time to start; it then never runs to its end."""
        place = bench.place()
        job = bench.job(place, "hold", place.job_out)
        bench.submit(job)
        assert bench.backend.remove(job.jid) is True
        _assert_gone(bench, job.jid)
        bench.until("the process to end", place.is_held, lambda held: not held)

    def test_removing_twice_is_no_error(self, bench: Workbench) -> None:
        """The second time there was no such job."""
        info = bench.run(bench.place(), "exit", "0")
        assert bench.backend.remove(info.jid) is True
        assert bench.backend.remove(info.jid) is False
        assert bench.fresh().remove(info.jid) is False

    def test_a_jid_can_be_used_again_at_once(self, bench: Workbench) -> None:
        """For another job, even while the first one was running."""
        place = bench.place()
        first = bench.hold(place)
        bench.backend.remove(first.jid)
        other = bench.job(bench.place(), "exit", "7", jid=first.jid)
        assert bench.submit(other).fingerprint == other.fingerprint
        info = bench.end_of(first.jid)
        assert (info.status, info.exit_code) == (Status.FAILED, 7)
        assert b"holding" not in bench.logs(info)


def _assert_gone(bench: Workbench, jid: str) -> None:
    for backend in (bench.backend, bench.fresh()):
        with pytest.raises(UnknownJobError):
            backend.status(jid)
        assert jid not in {info.jid for info in backend.list(JobFilter(), 1000, None).jobs}
