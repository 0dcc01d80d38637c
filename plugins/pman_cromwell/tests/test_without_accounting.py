"""A SLURM without accounting: what the outcomes of jobs must not depend on."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cromwell_kit import Server, slurm, slurm_job, subject_of, why_missing

from pman_core.contract.info import Reason, Status
from pman_core.kit.names import native_name
from pman_core.testing.conformance import Harness
from pman_core.testing.conformance.lifecycle import LifecyclePromises
from pman_core.testing.conformance.limits import LimitPromises
from pman_core.testing.pytest_plugin import Engines


@pytest.fixture(scope="module")
def _no_accounting(engines: Engines) -> Iterator[None]:
    for name in ("slurm", "cromwell"):
        engines.need(name, why_missing())
    before = os.environ["PMAN_SLURM_ACCOUNTING"]
    _switch("no")
    yield
    _switch(before)


@pytest.fixture
def harness(_no_accounting: None, cromwell: Server, tmp_path: Path) -> Iterator[Harness]:
    """The tools of a test; what they made is removed afterwards."""
    with subject_of(cromwell, tmp_path) as subject:
        made = Harness(subject)
        yield made
        made.clean_up()


class TestWithoutAccounting:
    """The promises that SLURM's own word decides, and a few besides."""

    test_success_is_reported = LifecyclePromises.test_success_is_reported
    test_a_signal_is_reported = LifecyclePromises.test_a_signal_is_reported
    test_the_end_stays = LifecyclePromises.test_the_end_stays
    test_a_lost_run_is_reported = LifecyclePromises.test_a_lost_run_is_reported_and_not_repeated
    test_failing_workers_fail_the_job = LifecyclePromises.test_failing_workers_fail_the_job
    test_out_of_memory_is_reported = LimitPromises.test_out_of_memory_is_reported
    test_time_limit_ends_a_job = LimitPromises.test_time_limit_ends_a_job

    def test_accounting_is_off(self, harness: Harness) -> None:
        assert slurm("sacct", check=False).returncode

    def test_a_cancelled_job_is_reported(self, harness: Harness) -> None:
        info = harness.hold(harness.place())
        slurm("scancel", "--signal=KILL", "--full", slurm_job(native_name(info.jid)))
        ended = harness.end_of(info.jid)
        assert (ended.status, ended.reason) == (Status.FAILED, Reason.KILLED)


def _switch(accounting: str) -> None:
    """Have ``engines/up slurm`` change it; jobs outlive that."""
    up = Path(os.environ["PMAN_SLURM_DAEMON"]).parents[1] / "up"
    own = {**os.environ, "PMAN_SLURM_ACCOUNTING": accounting}
    subprocess.run([str(up), "slurm"], env=own, capture_output=True, timeout=200, check=True)
