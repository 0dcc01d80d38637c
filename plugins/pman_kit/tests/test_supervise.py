"""The program that any scheduler can run as a job's command."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jobs_kit import Harness, until

from pman_core import Job, Reason, Status
from pman_core.kit.outcome import cancelled, lost
from pman_kit.job_folder import JobFolder
from pman_kit.layout import BEGAN
from pman_kit.record import environment_of, record_of
from pman_kit.supervise import supervise_command
from pman_kit.testing import supervisor_of


@pytest.fixture
def patient(harness: Harness) -> Harness:
    """A harness whose jobs wait for whoever runs their supervisors."""
    harness.store.prepare()
    return harness


def create(harness: Harness, job: Job) -> Path:
    """A job that nobody has launched; its folder."""
    record = record_of(job, "pman", datetime.now(UTC), 2**20)
    environment = environment_of(job, {"PATH": os.defpath}, record)
    with harness.store.create(job.jid, record, environment) as created:
        assert created is not None
        return created[0]


def test_the_program_stays_until_the_end_of_the_job_is_written_down(patient: Harness) -> None:
    folder = create(patient, patient.shell("echo run >> runs; echo text; (sleep 1000 &); exit 3"))
    ran = subprocess.run(
        [sys.executable, "-m", "pman_kit.supervise", folder.name], cwd=folder.parent, check=True
    )
    assert ran.returncode == 0
    info = patient.jobs.status("job-1")
    assert (info.status, info.exit_code) == (Status.FAILED, 3)
    assert patient.log() == b"text\n"
    assert patient.processes() == []


def test_of_many_supervisors_of_a_job_one_runs_it(patient: Harness) -> None:
    folder = create(patient, patient.shell("echo run >> runs; sleep 0.2"))
    started = [subprocess.Popen(supervise_command(folder)) for _ in range(8)]
    assert [process.wait(60) for process in started] == [0] * 8
    assert patient.jobs.status("job-1").status is Status.SUCCEEDED
    subprocess.run(supervise_command(folder), check=True)
    assert (patient.out / "runs").read_text() == "run\n"


@pytest.mark.parametrize("how", ["removed", "cancelled", "ended"])
def test_a_job_that_is_not_due_any_more_is_not_run(patient: Harness, how: str) -> None:
    folder = create(patient, patient.shell("echo run >> runs"))
    if how == "removed":
        assert patient.jobs.remove("job-1") is True
    else:
        with JobFolder(folder) as held, held.lock() as lock:
            assert lock is not None
            held.request_cancellation() if how == "cancelled" else held.write_end(lost("test"))
    subprocess.run(supervise_command(folder), check=True, timeout=60)
    assert not (patient.out / "runs").exists()
    if how == "cancelled":
        assert patient.jobs.status("job-1").reason is Reason.CANCELLED


def test_a_job_at_which_a_pman_looks_is_begun_afterwards(patient: Harness) -> None:
    folder = create(patient, patient.shell("echo run >> runs"))
    with JobFolder(folder) as held, held.lock() as lock:
        assert lock is not None
        process = subprocess.Popen(supervise_command(folder))
        time.sleep(0.3)  # there is nothing to wait for: it must do nothing
        assert process.poll() is None
        assert not (folder / BEGAN).exists()
    assert process.wait(60) == 0
    assert (patient.out / "runs").exists()


def test_a_job_gets_nothing_of_the_scheduler(patient: Harness) -> None:
    held = os.open(patient.root, os.O_RDONLY)
    os.set_inheritable(held, True)
    look = "import os; found = os.listdir('/proc/self/fd'); open('fds', 'w').write(str(found))"
    folder = create(patient, patient.python(look))
    blocked = {signal.SIGCHLD, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        process = subprocess.Popen(supervise_command(folder), close_fds=False)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(held)
    assert process.wait(60) == 0, "it gets SIGCHLD although it was blocked"
    seen = (patient.out / "fds").read_text()
    assert sorted(ast.literal_eval(seen)) == ["0", "1", "2", "3"], "3 is how listdir looks"


def test_a_scheduler_that_ends_the_program_ends_the_job(patient: Harness) -> None:
    folder = create(patient, patient.shell("touch running; sleep 1000"))
    process = subprocess.Popen(supervise_command(folder))
    patient.wait_for("running")
    process.terminate()
    assert process.wait(60) == 0
    assert patient.jobs.status("job-1").reason is Reason.KILLED
    assert patient.processes() == []


def test_alive_is_what_has_a_supervisor_and_nothing_else(harness: Harness) -> None:
    harness.jobs.submit(harness.shell("touch running; sleep 1000"))
    harness.wait_for("running")
    with JobFolder(harness.folders / "job-1") as folder:
        assert folder.is_alive()
        os.kill(supervisor_of(folder.path), signal.SIGKILL)
        until(lambda: not folder.is_alive(), "the supervisor's end to be seen")
        with folder.lock() as lock:
            assert lock is not None
            assert not folder.is_alive(), "a pman that looks at a job does not run it"


def test_the_first_end_stays(patient: Harness) -> None:
    folder = create(patient, patient.shell("true"))
    with JobFolder(folder) as held, held.lock():
        assert held.write_end(cancelled()) is True
        assert held.write_end(lost("later")) is False
    assert patient.jobs.status("job-1").reason is Reason.CANCELLED


def test_of_many_claims_one_wins(patient: Harness) -> None:
    folder = create(patient, patient.shell("true"))
    with JobFolder(folder) as one, JobFolder(folder) as other, one.lock() as lock:
        assert lock is not None
        with other.lock() as second:
            assert second is None
    with JobFolder(folder) as later, later.lock() as lock:
        assert lock is not None
        assert later.write_end(cancelled())
