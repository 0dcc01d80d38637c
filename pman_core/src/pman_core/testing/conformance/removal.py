"""Promise 9: removal."""

from __future__ import annotations

import pytest

from pman_core.contract.errors import UnknownJobError
from pman_core.contract.info import JobFilter, Status
from pman_core.testing.conformance.harness import Harness


class RemovalPromises:
    """A job that is removed is gone."""

    def test_nothing_of_a_removed_job_runs_on(self, harness: Harness) -> None:
        """Its process has ended when ``remove`` returns, or very soon after."""
        place = harness.place()
        info = harness.hold(place)
        assert place.is_held()
        assert harness.backend.remove(info.jid) is True
        harness.until("the process to end", place.is_held, lambda held: not held)
        _assert_gone(harness, info.jid)

    def test_descendants_of_a_removed_job_end_with_it(self, harness: Harness) -> None:
        """Also those that have left their parent and their session."""
        place = harness.place()
        job = harness.job(place, "leave", place.job_out, "stay")
        harness.submit(job)
        harness.until_running(job.jid, place)
        assert place.is_held()
        assert harness.backend.remove(job.jid) is True
        harness.until("the descendant to end", place.is_held, lambda held: not held)

    def test_an_ended_job_can_be_removed(self, harness: Harness) -> None:
        """Whether it succeeded or failed."""
        for code in ("0", "3"):
            info = harness.run(harness.place(), "exit", code)
            assert harness.backend.remove(info.jid) is True
            _assert_gone(harness, info.jid)

    def test_a_job_that_could_not_start_can_be_removed(self, harness: Harness) -> None:
        """Likewise."""
        job = harness.job(harness.place(), "exit", "0", argv=("no-such-executable",))
        harness.submit(job)
        harness.end_of(job.jid)
        assert harness.backend.remove(job.jid) is True
        _assert_gone(harness, job.jid)

    def test_a_job_can_be_removed_at_once(self, harness: Harness) -> None:
        """Before it has had time to start; it then never runs to its end."""
        place = harness.place()
        job = harness.job(place, "hold", place.job_out)
        harness.submit(job)
        assert harness.backend.remove(job.jid) is True
        _assert_gone(harness, job.jid)
        harness.until("the process to end", place.is_held, lambda held: not held)

    def test_removing_twice_is_no_error(self, harness: Harness) -> None:
        """The second time there was no such job."""
        info = harness.run(harness.place(), "exit", "0")
        assert harness.backend.remove(info.jid) is True
        assert harness.backend.remove(info.jid) is False
        assert harness.fresh().remove(info.jid) is False

    def test_a_jid_can_be_used_again_at_once(self, harness: Harness) -> None:
        """For another job, even while the first one was running."""
        place = harness.place()
        first = harness.hold(place)
        harness.backend.remove(first.jid)
        other = harness.job(harness.place(), "exit", "7", jid=first.jid)
        assert harness.submit(other).fingerprint == other.fingerprint
        info = harness.end_of(first.jid)
        assert (info.status, info.exit_code) == (Status.FAILED, 7)
        assert b"holding" not in harness.logs(info)


def _assert_gone(harness: Harness, jid: str) -> None:
    for backend in (harness.backend, harness.fresh()):
        with pytest.raises(UnknownJobError):
            backend.status(jid)
        assert jid not in {info.jid for info in backend.list(JobFilter(), 1000, None).jobs}
