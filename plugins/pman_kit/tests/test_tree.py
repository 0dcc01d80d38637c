"""Nothing of a job runs on: neither after its end, nor after its removal."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest
from jobs_kit import Harness, until

from pman_core import Reason, Resources, Status
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_kit.layout import BEGAN, CONTROL, LOCK, MARK
from pman_kit.orphans import kill_marked

#: Leaves its parent, its session and its environment behind, and ignores what it can.
_DAEMON = """
import os, signal, sys, time
if os.fork(): sys.exit(0) if len(sys.argv) < 2 else time.sleep(1000)
os.setsid()
if os.fork(): os._exit(0)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.execve("/bin/sleep", ["sleep", "1000"], {})
open("pid", "w").write(str(os.getpid()))
os.rename("pid", "daemon")
time.sleep(1000)
"""
#: Its process id changes faster than anyone can look.
_RUNNER = """
import os
open("daemon", "w").close()
while True:
    if os.fork(): os._exit(0)
"""


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _supervisor(harness: Harness, jid: str = "job-1") -> int:
    pid: int = json.loads((harness.folders / jid / BEGAN).read_text())["pid"]
    return pid


def test_daemons_end_with_the_main_process(harness: Harness) -> None:
    job = harness.shell(
        f"{sys.executable} -c '{_DAEMON}'; until [ -e daemon ]; do sleep 0.01; done"
    )
    assert harness.run(job).status is Status.SUCCEEDED
    assert not _is_alive(int((harness.out / "daemon").read_text()))
    assert harness.processes() == []


def test_daemons_end_when_the_job_is_removed(harness: Harness) -> None:
    harness.jobs.submit(harness.python(_DAEMON, "stay"))
    harness.wait_for("daemon")
    daemon = int((harness.out / "daemon").read_text())
    assert _is_alive(daemon)
    assert harness.jobs.remove("job-1") is True
    assert not _is_alive(daemon)
    assert harness.processes() == []


def test_a_process_that_always_changes_its_id_is_ended(harness: Harness) -> None:
    harness.jobs.submit(harness.shell(f"{sys.executable} -c '{_RUNNER}'; sleep 1000"))
    harness.wait_for("daemon")
    assert harness.jobs.remove("job-1") is True
    assert harness.processes() == []


def test_many_processes_are_ended(harness: Harness) -> None:
    script = "for i in $(seq 200); do (setsid sleep 1000 &) & done; wait; touch ready; sleep 1000"
    harness.jobs.submit(harness.shell(script, resources=Resources(memory_mib=64)))
    harness.wait_for("ready")
    assert harness.jobs.remove("job-1") is True
    assert harness.processes() == []


def test_a_job_whose_supervisor_was_killed_is_lost_and_ends(
    harness: Harness,
) -> None:
    program = _DAEMON.replace('os.execve("/bin/sleep", ["sleep", "1000"], {})', "time.sleep(1000)")
    harness.jobs.submit(harness.python(program, "stay"))
    harness.wait_for("daemon")
    os.kill(_supervisor(harness), signal.SIGKILL)
    info = harness.end()
    assert (info.status, info.reason, info.exit_code) == (Status.FAILED, Reason.LOST, None)
    assert "supervisor" in info.message
    assert not _is_alive(int((harness.out / "daemon").read_text()))
    assert harness.processes() == []
    assert harness.jobs.status("job-1") == info
    assert harness.jobs.submit(harness.shell("touch again")) == info


def test_the_main_process_of_a_killed_supervisor_ends_unseen(
    harness: Harness,
) -> None:
    harness.jobs.submit(harness.shell("echo $$ > pid; mv pid main; exec sleep 1000"))
    harness.wait_for("main")
    os.kill(_supervisor(harness), signal.SIGKILL)
    main = int((harness.out / "main").read_text())
    until(lambda: not _is_alive(main), "the end of the main process")


def test_remove_ends_what_a_killed_supervisor_left_before_anybody_looked(harness: Harness) -> None:
    program = _DAEMON.replace('os.execve("/bin/sleep", ["sleep", "1000"], {})', "time.sleep(1000)")
    harness.jobs.submit(harness.python(program, "stay"))
    harness.wait_for("daemon")
    os.kill(_supervisor(harness), signal.SIGKILL)
    assert harness.jobs.remove("job-1") is True
    assert harness.processes() == []


def test_an_id_that_is_used_again_is_never_taken_for_a_job(harness: Harness) -> None:
    harness.jobs.submit(harness.shell("touch running; sleep 1000"))
    harness.wait_for("running")
    os.kill(_supervisor(harness), signal.SIGKILL)
    with subprocess.Popen(["sleep", "1000"], env={MARK: "another"}) as stranger:
        record = harness.folders / "job-1" / BEGAN
        record.write_text(json.dumps({**json.loads(record.read_text()), "pid": stranger.pid}))
        assert harness.end().reason is Reason.LOST
        assert harness.jobs.remove("job-1") is True
        assert stranger.poll() is None
        stranger.kill()


def test_only_processes_with_exactly_the_mark_are_ended() -> None:
    marks = {"one": "abc", "longer": "abcd", "other": "ab"}
    started = {
        name: subprocess.Popen(["sleep", "1000"], env={MARK: mark}) for name, mark in marks.items()
    }
    spoof = subprocess.Popen(["sleep", "1000"], env={"X": f"{MARK}=abc"})
    try:
        kill_marked("abc", 10)
        assert started["one"].wait(10) == -signal.SIGKILL
        assert [started["longer"].poll(), started["other"].poll(), spoof.poll()] == [None] * 3
    finally:
        for process in (*started.values(), spoof):
            process.kill()
            process.wait()


def test_a_supervisor_that_gets_sigterm_ends_its_job(harness: Harness) -> None:
    harness.jobs.submit(harness.shell("touch running; sleep 1000"))
    harness.wait_for("running")
    os.kill(_supervisor(harness), signal.SIGTERM)
    info = harness.end()
    assert (info.status, info.reason) == (Status.FAILED, Reason.KILLED)
    assert "SIGTERM" in info.message
    assert harness.processes() == []


def test_a_supervisor_that_does_not_answer_is_reported_in_time(harness: Harness) -> None:
    harness.jobs.submit(harness.shell("touch running; sleep 1000"))
    harness.wait_for("running")
    impatient = attrs.evolve(harness, settings={"ENGINE_TIMEOUT": "1"})
    os.kill(_supervisor(harness), signal.SIGSTOP)
    try:
        with pytest.raises(EngineUnavailableError, match="did not end within 1 s"):
            impatient.jobs.remove("job-1")
        assert harness.jobs.status("job-1").status is Status.STARTED
    finally:
        os.kill(_supervisor(harness), signal.SIGCONT)
    assert harness.end().status is Status.FAILED
    assert harness.jobs.remove("job-1") is True


def test_a_supervisor_that_ends_while_it_is_asked_to_is_no_fault(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.run(harness.job("true"))
    folder = harness.folders / "job-1"
    reader = [os.open(folder / CONTROL, os.O_RDONLY | os.O_NONBLOCK)]
    real_write = os.write

    def write_when_nobody_reads(file: int, data: bytes) -> int:
        while reader:
            os.close(reader.pop())
            lock.close()
        return real_write(file, data)

    monkeypatch.setattr(os, "write", write_when_nobody_reads)
    with (folder / LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert harness.jobs.remove("job-1") is True
    assert not reader


def test_of_many_removals_at_once_one_removes_the_job(harness: Harness) -> None:
    harness.jobs.submit(harness.shell("touch running; sleep 1000"))
    harness.wait_for("running")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: harness.jobs.remove("job-1"), range(8)))
    assert sorted(answers) == [False] * 7 + [True]
    assert harness.processes() == []
    with pytest.raises(UnknownJobError):
        harness.jobs.status("job-1")


def test_no_zombie_of_pman_is_left(harness: Harness) -> None:
    harness.run(harness.job("true"))
    with open("/proc/thread-self/children") as children:
        assert children.read() == ""
