"""One submit makes one job, even if pman or a supervisor is killed meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import attrs
import pytest
from jobs_kit import Workbench, job_processes, until

import pman_kit
from pman_core import Job, JobInfo, Reason, Status
from pman_core.contract.errors import EngineUnavailableError, NameTakenError, UnknownJobError
from pman_kit import jobs as jobs_module
from pman_kit import supervise
from pman_kit.record import record_of
from pman_kit.status import info_of

_CODE = str(Path(str(pman_kit.__file__)).parent)
_COUNT = "echo run >> runs"


def _killed_after(lines: int, act: Callable[[], object]) -> bool:
    """Do something in a child that is killed at so many lines of the plugin's code.

    Whether it lived to its end.
    """
    child = os.fork()
    if child == 0:
        left = lines

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal left
            if not frame.f_code.co_filename.startswith(_CODE):
                return None
            if event == "line":
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        try:
            sys.settrace(trace)
            act()
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code == 0


def _runs(bench: Workbench) -> int:
    runs = bench.out / "runs"
    return len(runs.read_text().splitlines()) if runs.exists() else 0


@pytest.mark.parametrize("again", [False, True], ids=["looked at", "submitted again"])
def test_a_pman_that_is_killed_at_any_line_of_a_submit_neither_loses_nor_doubles_the_job(
    bench: Workbench, again: bool
) -> None:
    job = bench.shell(_COUNT)
    there = 0
    for line in range(2000):
        backend = bench.jobs
        lived = _killed_after(line, lambda backend=backend: backend.submit(job))  # type: ignore[misc]
        if again:
            backend.submit(job)
        if again or bench.exists():
            there += 1
            assert bench.end().status is Status.SUCCEEDED
        assert _runs(bench) == int(again or bench.exists())
        assert backend.remove(job.jid) is bool(_runs(bench))
        assert list((bench.root / "state" / "spare").iterdir()) == []
        (bench.out / "runs").unlink(missing_ok=True)
        if lived:
            break
    else:
        pytest.fail("the submit has no end")
    assert line > 100
    assert there > 10


def _traced_supervisor(bench: Workbench, line: int) -> str:
    """The program of a supervisor that is killed at so many lines after its fork."""
    return f"""
import os, signal, sys
left = {line}
def trace(frame, event, _):
    global left
    if not frame.f_code.co_filename.startswith({_CODE!r}):
        return None
    if event == "line":
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return trace
sys.path.append(sys.argv[1])
from pman_kit.supervisor.main import main
fork, forks = os.fork, [0]
def traced_fork():
    child = fork()
    forks[0] += 1
    if forks[0] == 2 and child == 0:
        sys.settrace(None)  # the main process of the job
    return child
os.fork = traced_fork
sys.settrace(trace)
main(*sys.argv[2:])
open(sys.argv[2] + "/lived", "w").close()
"""


def test_a_supervisor_that_is_killed_at_any_line_never_runs_the_job_twice(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.shell(_COUNT)
    whole = supervise._MAIN
    reasons = set()
    for line in range(2000):
        monkeypatch.setattr(supervise, "_MAIN", _traced_supervisor(bench, line))
        try:
            bench.jobs.submit(job)
        except EngineUnavailableError:
            reasons.add("not started")
        # Where the job has not begun yet, the next look starts a supervisor that is not killed.
        monkeypatch.setattr(supervise, "_MAIN", whole)
        info = bench.end()
        reasons.add(str(info.reason))
        assert info.reason in (None, Reason.LOST)
        assert _runs(bench) <= 1
        assert _runs(bench) == 1 or info.reason is Reason.LOST
        assert job_processes(bench.root) == []
        lived = (bench.folders / job.jid / "lived").exists()
        assert bench.jobs.remove(job.jid)
        (bench.out / "runs").unlink(missing_ok=True)
        if lived:
            break
    assert reasons == {"not started", "None", "lost"}
    assert line > 50


def test_of_eight_processes_that_submit_at_once_one_starts_the_job(bench: Workbench) -> None:
    job = bench.shell(_COUNT)
    for _ in range(10):
        go, gate = os.pipe()
        children = []
        for _ in range(8):
            child = os.fork()
            if child == 0:
                os.close(gate)
                os.read(go, 1)  # until all are ready
                try:
                    bench.jobs.submit(job)
                    os._exit(0)
                finally:
                    os._exit(1)
            children.append(child)
        os.close(gate)
        os.close(go)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
        assert bench.end().status is Status.SUCCEEDED
        assert _runs(bench) == 1
        bench.jobs.remove(job.jid)
        (bench.out / "runs").unlink()


def test_a_name_is_given_once_and_the_loser_leaves_nothing(bench: Workbench) -> None:
    store = bench.store
    store.prepare()
    record = record_of(bench.job("true"), "pman", datetime.now(UTC), 2**20)
    with store.create("job-1", record, {}) as first, store.create("job-1", record, {}) as second:
        assert first is not None
        assert first[0] == bench.folders / "job-1"
        assert second is None
        assert list((bench.root / "state" / "spare").iterdir()) == []
    assert bench.end().status is Status.SUCCEEDED, "the next look starts what was not started"


def test_a_pman_that_begins_to_serve_starts_what_a_killed_one_could_not(bench: Workbench) -> None:
    backend = bench.jobs
    record = record_of(bench.shell("touch ran"), "pman", datetime.now(UTC), 2**20)
    with bench.store.create("job-1", record, {"PATH": os.defpath}):
        pass  # killed before it could start a supervisor
    backend.resume()
    bench.wait_for("ran")


def test_a_job_that_is_removed_while_it_is_looked_at_is_unknown(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, remover = bench.jobs, bench.jobs
    bench.run(bench.shell("true"))

    def info_after_removal(*what: Any) -> JobInfo:
        monkeypatch.undo()
        remover.remove("job-1")
        bench.run(bench.shell("exit 3"))
        return info_of(*what)

    monkeypatch.setattr(jobs_module, "info_of", info_after_removal)
    with pytest.raises(UnknownJobError):
        looking.status("job-1")
    assert looking.status("job-1").exit_code == 3


def test_threads_that_submit_look_and_remove_at_once_do_no_harm(bench: Workbench) -> None:
    jobs = [bench.shell("sleep 0.02", jid=f"job-{number % 3}") for number in range(60)]

    def act(job: Job) -> str:
        backend = bench.jobs
        info = backend.submit(job)
        bench.exists(job.jid)
        backend.remove(job.jid)
        return info.jid

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(act, jobs)) == [job.jid for job in jobs]
    assert job_processes(bench.root) == []


def test_a_job_outlives_every_signal_to_the_process_group_of_pman(bench: Workbench) -> None:
    job = bench.shell("touch running; until [ -e go ]; do sleep 0.01; done; exit 7")
    pman = os.fork()
    if pman == 0:
        try:
            os.setsid()
            bench.jobs.submit(job)
            (bench.root / "submitted").touch()
            time.sleep(1000)
        finally:
            os._exit(1)
    until((bench.root / "submitted").exists, "the submit")
    bench.wait_for("running")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        os.killpg(pman, number)
    os.waitpid(pman, 0)
    assert bench.jobs.status(job.jid).status is Status.STARTED
    (bench.out / "go").touch()
    assert bench.end().exit_code == 7


def test_a_supervisor_holds_nothing_of_pman(bench: Workbench) -> None:
    held = os.open(bench.root, os.O_RDONLY)
    os.set_inheritable(held, True)
    try:
        bench.jobs.submit(bench.shell("touch running; sleep 1000"))
        bench.wait_for("running")
        pid = subprocess.run(
            ["fuser", bench.folders / "job-1" / "lock"], capture_output=True, check=False
        ).stdout.split()
    except FileNotFoundError:
        pytest.skip("no fuser")
    finally:
        os.close(held)
    assert len(pid) == 1, "pman and the job must not hold the lock"
    process = Path("/proc", pid[0].decode())
    assert str(bench.root) not in [os.readlink(fd) for fd in (process / "fd").iterdir()]
    assert (process / "cwd").readlink() == Path("/")
    assert os.getsid(int(pid[0])) != os.getsid(0)
    assert (process / "environ").read_bytes().count(b"=") <= 2, "no environment of pman"


def test_a_job_that_waited_longer_than_the_deadline_is_not_started(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "_MAIN", "raise SystemExit(3)")
    with pytest.raises(EngineUnavailableError, match="supervisor could not be started"):
        bench.jobs.submit(bench.shell(_COUNT, env={"TOKEN": "hidden"}))
    monkeypatch.undo()
    record = bench.folders / "job-1" / "job.json"
    created = record.read_text().replace('"created": ', '"created": 1, "was": ')
    record.write_text(created)
    info = bench.end()
    assert (info.status, info.reason) == (Status.FAILED, Reason.START_DEADLINE)
    assert info.message == "not started within 86400 s: waiting for its supervisor"
    assert not (bench.folders / "job-1" / "environment.json").exists()
    assert _runs(bench) == 0


def test_a_supervisor_that_cannot_start_is_reported_and_tried_again(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(EngineUnavailableError, match="cannot start processes"):
        bench.jobs.submit(bench.shell(_COUNT))
    monkeypatch.undo()
    assert bench.end().status is Status.SUCCEEDED


@pytest.mark.parametrize("kind", ["file", "folder", "full folder", "job of another jid", "link"])
def test_what_pman_did_not_make_is_no_job_and_stays(bench: Workbench, kind: str) -> None:
    job = bench.shell(_COUNT)
    backend = bench.jobs
    foreign = bench.folders / "job-1"
    if kind == "file":
        foreign.touch()
    elif kind == "link":
        foreign.symlink_to("/nowhere")
    elif kind == "job of another jid":
        bench.run(attrs.evolve(job, jid="other"))
        (bench.folders / "other").rename(foreign)
        (bench.out / "runs").unlink()
    else:
        foreign.mkdir()
        if kind == "full folder":
            (foreign / "job.json").write_text("no JSON")
    assert not bench.exists()
    assert backend.remove("job-1") is False
    with pytest.raises(NameTakenError, match="job-1"):
        backend.submit(job)
    assert os.path.lexists(foreign)
    assert _runs(bench) == 0
