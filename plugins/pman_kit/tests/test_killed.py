"""One submit makes one job, even if pman or a supervisor is killed at any line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from jobs_kit import Harness, job_processes

import pman_kit
from pman_core import Reason, Status
from pman_core.contract.errors import EngineUnavailableError
from pman_kit import supervise

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


@pytest.mark.parametrize("again", [False, True], ids=["looked at", "submitted again"])
def test_a_pman_that_is_killed_at_any_line_of_a_submit_neither_loses_nor_doubles_the_job(
    harness: Harness, again: bool
) -> None:
    job = harness.shell(_COUNT)
    there = 0
    for line in range(2000):
        backend = harness.jobs
        lived = _killed_after(line, lambda backend=backend: backend.submit(job))  # type: ignore[misc]
        if again:
            backend.submit(job)
        if again or harness.exists():
            there += 1
            assert harness.end().status is Status.SUCCEEDED
        assert harness.runs() == int(again or harness.exists())
        assert backend.remove(job.jid) is bool(harness.runs())
        assert list((harness.root / "state" / "spare").iterdir()) == []
        (harness.out / "runs").unlink(missing_ok=True)
        if lived:
            break
    else:
        pytest.fail("the submit has no end")
    assert line > 100
    assert there > 10


def _traced_supervisor(harness: Harness, line: int) -> str:
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
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = harness.shell(_COUNT)
    whole = supervise._MAIN
    reasons = set()
    for line in range(2000):
        monkeypatch.setattr(supervise, "_MAIN", _traced_supervisor(harness, line))
        try:
            harness.jobs.submit(job)
        except EngineUnavailableError:
            reasons.add("not started")
        # Where the job has not begun yet, the next look starts a supervisor that is not killed.
        monkeypatch.setattr(supervise, "_MAIN", whole)
        info = harness.end()
        reasons.add(str(info.reason))
        assert info.reason in (None, Reason.LOST)
        assert harness.runs() <= 1
        assert harness.runs() == 1 or info.reason is Reason.LOST
        assert job_processes(harness.root) == []
        lived = (harness.folders / job.jid / "lived").exists()
        assert harness.jobs.remove(job.jid)
        (harness.out / "runs").unlink(missing_ok=True)
        if lived:
            break
    assert reasons == {"not started", "None", "lost"}
    assert line > 50
