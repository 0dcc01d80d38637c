"""One submit makes one job, also of many at once, and whatever a name belongs to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from jobs_kit import Harness, job_processes, until

from pman_core import Job, JobInfo, Reason, Status
from pman_core.contract.errors import EngineUnavailableError, NameTakenError, UnknownJobError
from pman_kit import jobs as jobs_module
from pman_kit import supervise
from pman_kit.record import record_of
from pman_kit.status import info_of

_COUNT = "echo run >> runs"


def test_of_eight_processes_that_submit_at_once_one_starts_the_job(harness: Harness) -> None:
    job = harness.shell(_COUNT)
    for _ in range(10):
        go, gate = os.pipe()
        children = []
        for _ in range(8):
            child = os.fork()
            if child == 0:
                os.close(gate)
                os.read(go, 1)  # until all are ready
                try:
                    harness.jobs.submit(job)
                    os._exit(0)
                finally:
                    os._exit(1)
            children.append(child)
        os.close(gate)
        os.close(go)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
        assert harness.end().status is Status.SUCCEEDED
        assert harness.runs() == 1
        harness.jobs.remove(job.jid)
        (harness.out / "runs").unlink()


def test_a_name_is_given_once_and_the_loser_leaves_nothing(harness: Harness) -> None:
    store = harness.store
    store.prepare()
    record = record_of(harness.job("true"), "pman", datetime.now(UTC), 2**20)
    with store.create("job-1", record, {}) as first, store.create("job-1", record, {}) as second:
        assert first is not None
        assert first[0] == harness.folders / "job-1"
        assert second is None
        assert list((harness.root / "state" / "spare").iterdir()) == []
    assert harness.end().status is Status.SUCCEEDED, "the next look starts what was not started"


def test_a_pman_that_begins_to_serve_starts_what_a_killed_one_could_not(harness: Harness) -> None:
    backend = harness.jobs
    record = record_of(harness.shell("touch ran"), "pman", datetime.now(UTC), 2**20)
    with harness.store.create("job-1", record, {"PATH": os.defpath}):
        pass  # killed before it could start a supervisor
    backend.resume()
    harness.wait_for("ran")


def test_a_job_that_is_removed_while_it_is_looked_at_is_unknown(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, remover = harness.jobs, harness.jobs
    harness.run(harness.shell("true"))

    def info_after_removal(*what: Any) -> JobInfo:
        monkeypatch.undo()
        remover.remove("job-1")
        harness.run(harness.shell("exit 3"))
        return info_of(*what)

    monkeypatch.setattr(jobs_module, "info_of", info_after_removal)
    with pytest.raises(UnknownJobError):
        looking.status("job-1")
    assert looking.status("job-1").exit_code == 3


def test_threads_that_submit_look_and_remove_at_once_do_no_harm(harness: Harness) -> None:
    jobs = [harness.shell("sleep 0.02", jid=f"job-{number % 3}") for number in range(60)]

    def act(job: Job) -> str:
        backend = harness.jobs
        info = backend.submit(job)
        harness.exists(job.jid)
        backend.remove(job.jid)
        return info.jid

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(act, jobs)) == [job.jid for job in jobs]
    assert job_processes(harness.root) == []


def test_a_job_outlives_every_signal_to_the_process_group_of_pman(harness: Harness) -> None:
    job = harness.shell("touch running; until [ -e go ]; do sleep 0.01; done; exit 7")
    pman = os.fork()
    if pman == 0:
        try:
            os.setsid()
            harness.jobs.submit(job)
            (harness.root / "submitted").touch()
            time.sleep(1000)
        finally:
            os._exit(1)
    until((harness.root / "submitted").exists, "the submit")
    harness.wait_for("running")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        os.killpg(pman, number)
    os.waitpid(pman, 0)
    assert harness.jobs.status(job.jid).status is Status.STARTED
    (harness.out / "go").touch()
    assert harness.end().exit_code == 7


def test_a_supervisor_holds_nothing_of_pman(harness: Harness) -> None:
    held = os.open(harness.root, os.O_RDONLY)
    os.set_inheritable(held, True)
    try:
        harness.jobs.submit(harness.shell("touch running; sleep 1000"))
        harness.wait_for("running")
        pid = subprocess.run(
            ["fuser", harness.folders / "job-1" / "lock"], capture_output=True, check=False
        ).stdout.split()
    except FileNotFoundError:
        pytest.skip("no fuser")
    finally:
        os.close(held)
    assert len(pid) == 1, "pman and the job must not hold the lock"
    process = Path("/proc", pid[0].decode())
    assert str(harness.root) not in [os.readlink(fd) for fd in (process / "fd").iterdir()]
    assert (process / "cwd").readlink() == Path("/")
    assert os.getsid(int(pid[0])) != os.getsid(0)
    assert (process / "environ").read_bytes().count(b"=") <= 2, "no environment of pman"


def test_a_job_that_waited_longer_than_the_deadline_is_not_started(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "_MAIN", "raise SystemExit(3)")
    with pytest.raises(EngineUnavailableError, match="supervisor could not be started"):
        harness.jobs.submit(harness.shell(_COUNT, env={"TOKEN": "hidden"}))
    monkeypatch.undo()
    record = harness.folders / "job-1" / "job.json"
    created = record.read_text().replace('"created": ', '"created": 1, "was": ')
    record.write_text(created)
    info = harness.end()
    assert (info.status, info.reason) == (Status.FAILED, Reason.START_DEADLINE)
    assert info.message == "not started within 86400 s: waiting for its supervisor"
    assert not (harness.folders / "job-1" / "environment.json").exists()
    assert harness.runs() == 0


def test_a_supervisor_that_cannot_start_is_reported_and_tried_again(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(EngineUnavailableError, match="cannot start processes"):
        harness.jobs.submit(harness.shell(_COUNT))
    monkeypatch.undo()
    assert harness.end().status is Status.SUCCEEDED


@pytest.mark.parametrize("kind", ["file", "folder", "full folder", "job of another jid", "link"])
def test_what_pman_did_not_make_is_no_job_and_stays(harness: Harness, kind: str) -> None:
    job = harness.shell(_COUNT)
    backend = harness.jobs
    foreign = harness.folders / "job-1"
    if kind == "file":
        foreign.touch()
    elif kind == "link":
        foreign.symlink_to("/nowhere")
    elif kind == "job of another jid":
        harness.run(attrs.evolve(job, jid="other"))
        (harness.folders / "other").rename(foreign)
        (harness.out / "runs").unlink()
    else:
        foreign.mkdir()
        if kind == "full folder":
            (foreign / "job.json").write_text("no JSON")
    assert not harness.exists()
    assert backend.remove("job-1") is False
    with pytest.raises(NameTakenError, match="job-1"):
        backend.submit(job)
    assert os.path.lexists(foreign)
    assert harness.runs() == 0
