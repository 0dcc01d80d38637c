"""Faults of SLURM and Cromwell in the middle of a job lose no running job and no state."""

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from cromwell_kit import (
    SHARE,
    Server,
    daemon,
    kill_processes,
    run_again,
    runs_jobs,
    slurm,
    slurm_job,
    until,
)

from pman_core.contract.info import JobInfo, Reason, Status
from pman_core.kit.names import native_name
from pman_core.testing.conformance import Harness


@contextlib.contextmanager
def without(name: str) -> Iterator[None]:
    """One daemon of SLURM is killed, and back at the end."""
    daemon("kill", name)
    try:
        yield
    finally:
        daemon("start", name)
        # It answers before the node is ready again.
        until(runs_jobs, patience_s=120)


def _execution(cromwell: Server, info: JobInfo) -> Path:
    return cromwell.folder / "executions" / "pman" / info.native / "call-job" / "execution"


def _held(harness: Harness) -> tuple[JobInfo, Callable[[], JobInfo], str]:
    """A job that runs, what ends it, and its number in SLURM."""
    place = harness.place()
    info = harness.hold(place)

    def release() -> JobInfo:
        place.release()
        return harness.end_of(info.jid)

    return info, release, slurm_job(native_name(info.jid))


def test_a_job_outlives_slurmd(harness: Harness) -> None:
    info, release, _ = _held(harness)
    with without("slurmd"):
        assert harness.status(info.jid).status is Status.STARTED
    assert release().status is Status.SUCCEEDED


def test_a_job_outlives_slurmctld_and_ends_without_it(cromwell: Server, harness: Harness) -> None:
    """Its silence looks like no death, also to a Cromwell that starts meanwhile and asks once."""
    info, release, number = _held(harness)
    _, release_other, other = _held(harness)
    for one in (number, other):
        _until_saved(one)
    checked = _execution(cromwell, info) / "stderr.check"
    with without("slurmctld"):
        cromwell.kill()
        checked.unlink(missing_ok=True)
        cromwell.start()
        until(lambda: checked.exists() and "does not answer" in checked.read_text())
        assert release_other().status is Status.SUCCEEDED
    checked.unlink()
    until(checked.exists)  # Cromwell goes on asking: it has not given the job up
    assert harness.status(info.jid).status is Status.STARTED
    assert release().status is Status.SUCCEEDED


def test_a_job_outlives_cromwell(cromwell: Server, harness: Harness) -> None:
    running, release, _ = _held(harness)
    place = harness.place()
    other = harness.hold(place)
    cromwell.kill()
    try:
        place.release()
        until(lambda: not place.is_held())
    finally:
        cromwell.start()
    assert harness.end_of(other.jid).status is Status.SUCCEEDED
    assert harness.status(running.jid).status is Status.STARTED
    assert release().status is Status.SUCCEEDED


def test_slurmctld_may_be_away_when_a_job_comes(cromwell: Server, harness: Harness) -> None:
    place = harness.place()
    with without("slurmctld"):
        info = harness.submit(harness.job(place, "count", place.job_out))
        errors = _execution(cromwell, info) / "stderr.submit"
        until(lambda: errors.exists() and "Unable to contact" in errors.read_text())
        assert harness.status(info.jid).status is Status.NOT_STARTED
    assert harness.end_of(info.jid).status is Status.SUCCEEDED
    assert place.runs() == 1


def test_a_job_that_has_ended_does_not_run_again(cromwell: Server, harness: Harness) -> None:
    place = harness.place()
    info = harness.run(place, "count", place.job_out)
    run_again(cromwell, info)
    assert place.runs() == 1
    assert harness.status(info.jid) == info


def test_a_job_can_be_removed_while_slurmctld_is_away(harness: Harness) -> None:
    place = harness.place()
    info = harness.hold(place)
    _until_saved(slurm_job(native_name(info.jid)))
    with without("slurmctld"):
        assert harness.backend.remove(info.jid)
        harness.until("the process to end", place.is_held, lambda held: not held)


def test_a_second_start_of_the_batch_job_runs_nothing(cromwell: Server, harness: Harness) -> None:
    """As after slurmctld forgot that it began, or Cromwell that it submitted."""
    place = harness.place()
    info = harness.submit(harness.job(place, "count", place.job_out))
    first = harness.end_of(info.jid)
    script = _execution(cromwell, info) / "script"
    # The batch job writes it after the outcome.
    until((script.parent / "rc").exists)
    (script.parent / "rc").unlink()
    node = f"PMAN_NODE={SHARE / 'pman-slurm'},PMAN_RUNTIME=none"
    words = ["sbatch", "--wait", f"--export={node}", "--mem=64", "--output=/dev/null", str(script)]
    slurm(*words)
    assert (script.parent / "rc").read_text().strip() == "0"
    assert place.runs() == 1
    assert harness.status(info.jid) == first


def test_a_second_start_beside_the_first_waits_for_its_end(
    cromwell: Server, harness: Harness
) -> None:
    info, release, _ = _held(harness)
    script = _execution(cromwell, info) / "script"
    node = f"PMAN_NODE={SHARE / 'pman-slurm'},PMAN_RUNTIME=none"
    slurm("sbatch", f"--export={node}", "--mem=64", "--output=/dev/null", str(script))
    begun = harness.subject.storebase / ".pman" / "pman" / "runs" / info.native / "begun"
    until(lambda: _has_waiter(begun))
    assert harness.status(info.jid).status is Status.STARTED
    assert release().status is Status.SUCCEEDED


def test_an_administrators_scancel_is_reported(harness: Harness) -> None:
    info, _, number = _held(harness)
    slurm("scancel", number)
    ended = harness.end_of(info.jid)
    assert (ended.status, ended.reason) == (Status.FAILED, Reason.KILLED)
    assert "cancelled in SLURM" in ended.message


def test_an_administrators_scancel_of_a_waiting_job_is_reported(harness: Harness) -> None:
    backend = harness.fresh(SLURM_PARTITION="closed")
    info = harness.submit(harness.job(harness.place(), "exit", "0"), backend)
    waiting = harness.until(
        "SLURM's reason", lambda: harness.status(info.jid), lambda seen: "Partition" in seen.message
    )
    assert (waiting.status, waiting.reason) == (Status.NOT_STARTED, Reason.QUEUED)
    slurm("scancel", slurm_job(native_name(info.jid)))
    ended = harness.end_of(info.jid)
    assert (ended.status, ended.reason) == (Status.FAILED, Reason.KILLED)
    assert "cancelled in SLURM" in ended.message


def test_what_slurm_can_never_run_fails_with_slurms_message(harness: Harness) -> None:
    job = harness.resources(harness.job(harness.place(), "exit", "0"), memory_mib=10**8)
    harness.submit(job)
    ended = harness.end_of(job.jid)
    assert (ended.status, ended.reason) == (Status.FAILED, Reason.CANNOT_START)
    assert "Memory" in ended.message


def test_slurms_own_time_limit_is_reported(harness: Harness) -> None:
    info, _, number = _held(harness)
    slurm("scontrol", "update", f"jobid={number}", "EndTime=now")
    ended = harness.end_of(info.jid)
    assert (ended.status, ended.reason) == (Status.FAILED, Reason.TIME_LIMIT), ended


def test_a_lost_node_is_reported_and_what_runs_there_ends(harness: Harness) -> None:
    place = harness.place()
    info = harness.hold(place)
    number = slurm_job(native_name(info.jid))
    node = slurm("squeue", "-h", "-o", "%N", "-j", number).stdout.strip()
    try:
        slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        ended = harness.end_of(info.jid)
    finally:
        slurm("scontrol", "update", f"nodename={node}", "state=resume", check=False)
        until(lambda: "down" not in slurm("sinfo", "-h", "-o", "%T", "-p", "main").stdout)
    assert (ended.status, ended.reason) == (Status.FAILED, Reason.LOST), ended
    harness.until("the process to end", place.is_held, lambda held: not held)


def test_a_run_that_was_killed_without_an_outcome_is_reported(harness: Harness) -> None:
    info, _, number = _held(harness)
    kill_processes(number)
    ended = harness.end_of(info.jid)
    assert (ended.status, ended.reason) == (Status.FAILED, Reason.KILLED), ended
    assert "SLURM says that it failed" in ended.message


def test_a_record_that_was_lost_is_written_anew(harness: Harness) -> None:
    place = harness.place()
    job = harness.job(place, "count", place.job_out)
    first = harness.submit(job)
    harness.end_of(job.jid)
    record = harness.subject.storebase / ".pman" / "pman" / "jobs" / f"{job.jid}.json"
    record.unlink()
    again = harness.submit(job)
    assert (again.native, again.status) == (first.native, Status.SUCCEEDED)
    assert place.runs() == 1


def test_a_jid_that_was_removed_runs_again_as_another_workflow(harness: Harness) -> None:
    place = harness.place()
    job = harness.job(place, "count", place.job_out)
    natives = set()
    for _ in range(3):
        natives.add(harness.submit(job).native)
        assert harness.end_of(job.jid).status is Status.SUCCEEDED
        assert harness.backend.remove(job.jid)
    assert len(natives) == 3
    assert place.runs() == 3
    assert not os.listdir(harness.subject.storebase / ".pman" / "pman" / "runs")


def test_a_pman_with_another_runtime_than_the_cluster_fails_its_jobs_with_the_reason(
    harness: Harness,
) -> None:
    backend = harness.fresh(CROMWELL_RUNTIME="apptainer")
    job = harness.job(harness.place(), "exit", "0")
    harness.submit(job, backend)
    ended = harness.end_of(job.jid)
    assert ended.reason is Reason.CANNOT_START
    assert "CROMWELL_RUNTIME" in ended.message


def _until_saved(number: str) -> None:
    """Until slurmctld, killed now, would remember that the job runs."""
    config = slurm("scontrol", "show", "config").stdout
    folder = next(
        line.split("=")[1].strip() for line in config.splitlines() if "StateSaveLocation" in line
    )
    begun = slurm("squeue", "-h", "-o", "%S", "-j", number).stdout.strip()
    assert begun
    words = f"saved-{uuid.uuid4()}"
    # Whatever changes makes it save again, a few seconds later.
    slurm("scontrol", "update", f"jobid={number}", f"comment={words}")
    until(lambda: _holds(Path(folder) / "job_state", words.encode()))


def _holds(path: Path, words: bytes) -> bool:
    """Whether a file holds some words; slurmctld takes the old one away before the new comes."""
    try:
        return words in path.read_bytes()
    except FileNotFoundError:
        return False


def _has_waiter(path: Path) -> bool:
    """Whether somebody waits for the lock of a file (``proc_locks(5)``)."""
    inode = f":{path.stat().st_ino} "
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and inode in line for line in lines)
