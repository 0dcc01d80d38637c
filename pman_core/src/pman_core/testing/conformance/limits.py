"""Promise 2: limits are really in force. Promise 3: a job that meets one says so."""

from __future__ import annotations

import time

from pman_core.contract.capabilities import Deviation, Option
from pman_core.contract.info import Reason, Status
from pman_core.testing.conformance.harness import Harness
from pman_core.testing.conformance.marks import weakened_by

_LIMIT_MIB = 200

#: The time limit of a job that is suspended for longer than that.
_SUSPENDED_S = 5


class LimitPromises:
    """Memory, CPU and time."""

    def test_a_job_may_use_its_memory(self, harness: Harness) -> None:
        """The limit is in MiB, and there is room for the job below it."""
        harness.needs(Option.MEMORY_LIMIT)
        job = harness.resources(harness.job(harness.place(), "eat", "100"), memory_mib=_LIMIT_MIB)
        harness.submit(job)
        info = harness.end_of(job.jid)
        assert info.status is Status.SUCCEEDED, info

    def test_memory_limit_is_hard(self, harness: Harness) -> None:
        """A job that wants more ends with an error."""
        harness.needs(Option.MEMORY_LIMIT)
        job = harness.resources(harness.job(harness.place(), "eat", "300"), memory_mib=_LIMIT_MIB)
        harness.submit(job)
        info = harness.end_of(job.jid)
        assert info.status is Status.FAILED, info
        assert b"ate" not in harness.logs(info).splitlines()

    @weakened_by(Deviation.MEMORY_PER_PROCESS)
    def test_memory_limit_covers_all_processes_of_a_job(self, harness: Harness) -> None:
        """Two children that are each below it cannot be above it together."""
        harness.needs(Option.MEMORY_LIMIT)
        job = harness.job(harness.place(), "feast", "2", "120")
        harness.submit(harness.resources(job, memory_mib=_LIMIT_MIB))
        info = harness.end_of(job.jid)
        if harness.deviates(Deviation.MEMORY_PER_PROCESS):
            assert info.status is Status.SUCCEEDED, info
        else:
            assert info.status is Status.FAILED, info

    @weakened_by(Deviation.OOM_NOT_REPORTED)
    def test_out_of_memory_is_reported(self, harness: Harness) -> None:
        """By the reason for programs, and by the message for people; of no other end."""
        harness.needs(Option.MEMORY_LIMIT)
        job = harness.resources(harness.job(harness.place(), "eat", "300"), memory_mib=_LIMIT_MIB)
        harness.submit(job)
        info = harness.end_of(job.jid)
        assert info.message
        if harness.deviates(Deviation.OOM_NOT_REPORTED):
            return
        assert info.reason is Reason.OUT_OF_MEMORY, info
        assert "memory" in info.message
        other = harness.run(harness.place(), "exit", "137")  # the code of a job out of memory
        assert other.reason is not Reason.OUT_OF_MEMORY, other
        assert "memory" not in other.message

    @weakened_by(Deviation.SWAP_NOT_LIMITED)
    def test_memory_limit_includes_swap(self, harness: Harness) -> None:
        """The engine says so of the job."""
        harness.needs(Option.MEMORY_LIMIT)
        if harness.subject.limits_swap is None:
            harness.not_run("the subject has no limits_swap")
        place = harness.place()
        info = harness.hold(place)
        limited = harness.subject.limits_swap(info)
        place.release()
        assert limited or harness.deviates(Deviation.SWAP_NOT_LIMITED)

    @weakened_by(Deviation.WHOLE_CPUS)
    def test_cpu_limit_is_in_force(self, harness: Harness) -> None:
        """Two busy processes get no more CPU time than the limit; measured inside the job."""
        harness.needs(Option.CPU_LIMIT)
        whole = harness.deviates(Deviation.WHOLE_CPUS)
        limit = 1000 if whole else 500
        place = harness.place()
        job = harness.job(place, "burn", place.job_out, "2")
        harness.submit(harness.resources(job, cpu_millicores=limit))
        info = harness.end_of(job.jid)
        assert info.status is Status.SUCCEEDED, info
        share = float((place.local_out / "share").read_text())
        # A busy machine only makes the share smaller; the margin is for the engine's periods.
        assert share <= 1.4 * limit / 1000

    def test_time_limit_ends_a_job(self, harness: Harness) -> None:
        """It is reported, and nothing runs on."""
        harness.needs(Option.TIME_LIMIT)
        place = harness.place()
        job = harness.submit(harness.job(place, "hold", place.job_out, time_limit_s=2))
        info = harness.end_of(job.jid)
        assert info.status is Status.FAILED, info
        assert info.reason is Reason.TIME_LIMIT
        assert "2 s" in info.message
        harness.until("the process to end", place.is_held, lambda held: not held)

    def test_a_suspended_job_says_so_and_its_time_does_not_count(self, harness: Harness) -> None:
        """Somebody suspended it in the engine: it is started, and its time limit waits."""
        suspend, unsuspend = harness.subject.suspend_run, harness.subject.unsuspend_run
        if suspend is None or unsuspend is None:
            harness.not_run("the subject has no suspend_run and unsuspend_run")
        limited = Option.TIME_LIMIT not in harness.capabilities.refusals
        place = harness.place()
        info = harness.hold(place, time_limit_s=_SUSPENDED_S if limited else None)
        suspend(info)
        end = time.monotonic() + _SUSPENDED_S + 1
        info = harness.until(
            "a message that the job is suspended, beyond its time limit",
            lambda: harness.status(info.jid),
            lambda info: (
                info.status.is_final or ("suspended" in info.message and time.monotonic() > end)
            ),
        )
        assert info.status is Status.STARTED, info
        unsuspend(info)
        place.release()
        info = harness.end_of(info.jid)
        assert info.status is Status.SUCCEEDED, info
