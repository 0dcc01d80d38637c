"""Promise 2: limits are really in force. Promise 3: a job that meets one says so."""

from __future__ import annotations

import time

from pman_core.contract.capabilities import Deviation, Option
from pman_core.contract.info import Reason, Status
from pman_core.testing.conformance.marks import weakened_by
from pman_core.testing.conformance.workbench import Workbench

_LIMIT_MIB = 200

#: The time limit of a job that is suspended for longer than that.
_SUSPENDED_S = 5


class LimitPromises:
    """Memory, CPU and time."""

    def test_a_job_may_use_its_memory(self, bench: Workbench) -> None:
        """The limit is in MiB, and there is room for the job below it."""
        bench.needs(Option.MEMORY_LIMIT)
        job = bench.resources(bench.job(bench.place(), "eat", "100"), memory_mib=_LIMIT_MIB)
        bench.submit(job)
        info = bench.end_of(job.jid)
        assert info.status is Status.SUCCEEDED, info

    def test_memory_limit_is_hard(self, bench: Workbench) -> None:
        """A job that wants more ends with an error."""
        bench.needs(Option.MEMORY_LIMIT)
        job = bench.resources(bench.job(bench.place(), "eat", "300"), memory_mib=_LIMIT_MIB)
        bench.submit(job)
        info = bench.end_of(job.jid)
        assert info.status is Status.FAILED, info
        assert b"ate" not in bench.logs(info).splitlines()

    @weakened_by(Deviation.MEMORY_PER_PROCESS)
    def test_memory_limit_covers_all_processes_of_a_job(self, bench: Workbench) -> None:
        """Two children that are each below it cannot be above it together."""
        bench.needs(Option.MEMORY_LIMIT)
        job = bench.job(bench.place(), "feast", "2", "120")
        bench.submit(bench.resources(job, memory_mib=_LIMIT_MIB))
        info = bench.end_of(job.jid)
        if bench.deviates(Deviation.MEMORY_PER_PROCESS):
            assert info.status is Status.SUCCEEDED, info
        else:
            assert info.status is Status.FAILED, info

    @weakened_by(Deviation.OOM_NOT_REPORTED)
    def test_out_of_memory_is_reported(self, bench: Workbench) -> None:
        """By the reason for programs, and by the message for people; of no other end."""
        bench.needs(Option.MEMORY_LIMIT)
        job = bench.resources(bench.job(bench.place(), "eat", "300"), memory_mib=_LIMIT_MIB)
        bench.submit(job)
        info = bench.end_of(job.jid)
        assert info.message
        if bench.deviates(Deviation.OOM_NOT_REPORTED):
            return
        assert info.reason is Reason.OUT_OF_MEMORY, info
        assert "memory" in info.message
        other = bench.run(bench.place(), "exit", "137")  # the code of a job out of memory
        assert other.reason is not Reason.OUT_OF_MEMORY, other
        assert "memory" not in other.message

    @weakened_by(Deviation.SWAP_NOT_LIMITED)
    def test_memory_limit_includes_swap(self, bench: Workbench) -> None:
        """The engine says so of the job."""
        bench.needs(Option.MEMORY_LIMIT)
        if bench.subject.limits_swap is None:
            bench.not_run("the subject has no limits_swap")
        place = bench.place()
        info = bench.hold(place)
        limited = bench.subject.limits_swap(info)
        place.release()
        assert limited or bench.deviates(Deviation.SWAP_NOT_LIMITED)

    @weakened_by(Deviation.WHOLE_CPUS)
    def test_cpu_limit_is_in_force(self, bench: Workbench) -> None:
        """Two busy processes get no more CPU time than the limit; measured inside the job."""
        bench.needs(Option.CPU_LIMIT)
        whole = bench.deviates(Deviation.WHOLE_CPUS)
        limit = 1000 if whole else 500
        place = bench.place()
        job = bench.job(place, "burn", place.job_out, "2")
        bench.submit(bench.resources(job, cpu_millicores=limit))
        info = bench.end_of(job.jid)
        assert info.status is Status.SUCCEEDED, info
        share = float((place.local_out / "share").read_text())
        # A busy machine only makes the share smaller; the margin is for the engine's periods.
        assert share <= 1.4 * limit / 1000

    def test_time_limit_ends_a_job(self, bench: Workbench) -> None:
        """It is reported, and nothing runs on."""
        bench.needs(Option.TIME_LIMIT)
        place = bench.place()
        job = bench.submit(bench.job(place, "hold", place.job_out, time_limit_s=2))
        info = bench.end_of(job.jid)
        assert info.status is Status.FAILED, info
        assert info.reason is Reason.TIME_LIMIT
        assert "2 s" in info.message
        bench.until("the process to end", place.is_held, lambda held: not held)

    def test_a_suspended_job_says_so_and_its_time_does_not_count(self, bench: Workbench) -> None:
        """Somebody suspended it in the engine: it is started, and its time limit waits."""
        suspend, unsuspend = bench.subject.suspend_run, bench.subject.unsuspend_run
        if suspend is None or unsuspend is None:
            bench.not_run("the subject has no suspend_run and unsuspend_run")
        limited = Option.TIME_LIMIT not in bench.capabilities.refusals
        place = bench.place()
        info = bench.hold(place, time_limit_s=_SUSPENDED_S if limited else None)
        suspend(info)
        end = time.monotonic() + _SUSPENDED_S + 1
        info = bench.until(
            "a message that the job is suspended, beyond its time limit",
            lambda: bench.status(info.jid),
            lambda info: (
                info.status.is_final or ("suspended" in info.message and time.monotonic() > end)
            ),
        )
        assert info.status is Status.STARTED, info
        unsuspend(info)
        place.release()
        info = bench.end_of(info.jid)
        assert info.status is Status.SUCCEEDED, info
