"""What a job finds when it runs, and what is reported of its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from jobs_kit import Harness

import pman_kit
from pman_core import Reason, Resources, Status
from pman_core.contract.storage import host_storage
from pman_kit.settings import base_environment

_LOOK = """
import json, os, resource, signal, sys
json.dump({
    "env": dict(os.environ), "cwd": os.getcwd(), "argv": sys.argv[1:],
    "fds": sorted(os.listdir("/proc/self/fd")), "stdin": os.read(0, 10).decode(),
    "umask": os.umask(0), "core": resource.getrlimit(resource.RLIMIT_CORE),
    "as": resource.getrlimit(resource.RLIMIT_AS),
    "status": open("/proc/self/status").read(), "pgrp": os.getpgrp() == os.getpid(),
}, open("seen", "w"))
"""


def _seen(harness: Harness) -> dict[str, object]:
    found: dict[str, object] = json.loads((harness.out / "seen").read_text())
    return found


def test_a_job_gets_its_environment_a_few_chosen_variables_and_no_other(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "hidden")
    monkeypatch.setenv("LANG", "of this process, not of pman's settings")
    environ = {"SECRET_KEY": "hidden", "TZ": "Europe/Berlin", "HOME": "/root", "CHOSEN": "yes"}
    environ["PATH"] = path = f"{Path(sys.executable).parent}:{os.defpath}"
    chosen = base_environment(["PATH", "TZ", "CHOSEN"], environ)
    harness = attrs.evolve(harness, environment=chosen)
    assert harness.run(harness.python(_LOOK, env={"ASKED": "for", "TZ": "UTC"})).exit_code == 0
    seen = _seen(harness)["env"]
    assert isinstance(seen, dict)
    assert len(seen.pop("PMAN_PROCESS_JOB")) == 32
    seen.pop("LC_CTYPE", None)  # Python itself sets it where there is no locale
    assert seen == {
        "ASKED": "for",
        "CHOSEN": "yes",
        "PATH": path,
        "PMAN_TEST": str(harness.root),
        "TZ": "UTC",
    }


def test_a_job_starts_from_a_clean_state(harness: Harness) -> None:
    old = os.umask(0o077)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        job = harness.python(_LOOK)
        assert harness.run(job).status is Status.SUCCEEDED
    finally:
        os.umask(old)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    seen = _seen(harness)
    assert seen["cwd"] == str(harness.out)
    assert seen["stdin"] == ""
    assert seen["fds"] == ["0", "1", "2", "3"], "3 is how listdir looks"
    assert seen["umask"] == 0o022
    assert seen["core"] == [0, 0]
    assert seen["as"] == [512 << 20] * 2
    assert seen["pgrp"], "a job that signals its group must not reach its supervisor"
    status = dict(line.split(":\t", 1) for line in str(seen["status"]).splitlines())
    assert int(status["SigBlk"], 16) == 0
    ignored = int(status["SigIgn"], 16)
    assert ignored & ~(1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1) == 0, "Python's own two"


def test_ten_thousand_arguments_arrive_byte_for_byte(harness: Harness) -> None:
    args = ("", "a b", "line\nbreak", "ünïcödé ☃", "$HOME `id` $(id)", "\\") * 1667
    assert harness.run(harness.python(_LOOK, *args)).status is Status.SUCCEEDED
    assert _seen(harness)["argv"] == list(args)


def test_more_arguments_than_linux_takes_fail_the_job(harness: Harness) -> None:
    info = harness.run(harness.job("true", *["x" * 100_000] * 100))
    assert (info.reason, info.exit_code) == (Reason.CANNOT_START, 126)
    assert "too long" in info.message


@pytest.mark.parametrize(
    ("content", "mode", "code", "words"),
    [
        (None, 0, 127, "no such executable: "),
        ("#!/bin/sh\n", 0o644, 126, "Permission denied"),
        ("no program", 0o755, 126, "Exec format error"),
    ],
)
def test_an_executable_that_cannot_be_run_is_named(
    harness: Harness, content: str | None, mode: int, code: int, words: str
) -> None:
    program = harness.root / "program"
    if content is not None:
        program.write_text(content)
        program.chmod(mode)
    info = harness.run(harness.job(str(program)))
    assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START)
    assert info.exit_code == code
    assert words in info.message
    assert str(program) in info.message
    assert info.started is None


@pytest.mark.parametrize(("missing", "role"), [("in", "input"), ("out", "output")])
def test_a_missing_directory_is_reported_and_not_created(
    harness: Harness, missing: str, role: str
) -> None:
    job = harness.shell("echo ran > ran")
    folder = harness.root / "store" / missing
    folder.rmdir()
    info = harness.run(job)
    assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START)
    assert info.message == f"cannot start: no such directory: the {role} directory {folder}"
    assert not folder.exists()


def test_a_signal_is_reported_by_number_and_name(harness: Harness) -> None:
    info = harness.run(harness.shell("kill -SEGV $$"))
    assert (info.reason, info.exit_code) == (Reason.KILLED, 139)
    assert info.message == "killed by signal 11 (SIGSEGV, exit code 139)"


def test_a_job_that_signals_its_whole_group_is_reported_as_killed(harness: Harness) -> None:
    info = harness.run(harness.shell("kill -TERM 0; sleep 1000"))
    assert info.message == "killed by signal 15 (SIGTERM, exit code 143)"


def test_the_time_limit_ends_the_whole_tree(harness: Harness) -> None:
    info = harness.run(harness.shell("setsid sleep 1000 & setsid sleep 1000", time_limit_s=1))
    assert (info.status, info.reason) == (Status.FAILED, Reason.TIME_LIMIT)
    assert info.message == "ended: it ran for longer than its time limit of 1 s"
    assert harness.processes() == []


def test_the_memory_limit_holds_for_each_process(harness: Harness) -> None:
    # The first process waits for the other: the end of the first ends the whole job.
    program = """
import os
child = os.fork()
try:
    bytearray(400 << 20)
finally:
    if child:
        os.waitpid(child, 0)
"""
    assert harness.run(harness.python(program)).status is Status.SUCCEEDED
    less = harness.python(program, jid="job-2", resources=Resources(memory_mib=300))
    info = harness.run(less)
    assert info.status is Status.FAILED
    assert harness.log("job-2").count(b"MemoryError") == 2


def test_a_memory_limit_that_no_program_can_start_with_is_a_failed_job(harness: Harness) -> None:
    info = harness.run(harness.job("true", resources=Resources(memory_mib=1)))
    assert info.status is Status.FAILED
    assert info.message


def test_a_job_of_no_limits_runs(harness: Harness) -> None:
    info = harness.run(harness.shell("ulimit -v", resources=Resources(memory_mib=2048)))
    assert info.status is Status.SUCCEEDED
    assert harness.log() == b"2097152\n"


def test_without_mounts_a_job_starts_in_the_root_directory(harness: Harness) -> None:
    assert harness.run(harness.job("sh", "-c", "pwd", mounts=())).exit_code == 0
    assert harness.log() == b"/\n"


def test_the_path_of_the_job_finds_its_program(harness: Harness) -> None:
    tools = harness.root / "tools"
    tools.mkdir()
    (tools / "tool").symlink_to("/bin/true")
    info = harness.run(harness.job("tool", env={"PATH": str(tools)}))
    assert info.status is Status.SUCCEEDED


def test_secrets_are_gone_from_the_disk_once_the_job_has_begun(harness: Harness) -> None:
    harness.jobs.submit(harness.shell("touch running; sleep 1000", env={"TOKEN": "hidden"}))
    harness.wait_for("running")
    files = [path for path in harness.folders.rglob("*") if path.is_file()]
    assert files
    assert all(b"hidden" not in path.read_bytes() for path in files)
    assert all(path.stat().st_mode & 0o077 == 0 for path in [*files, harness.folders])


def test_the_storage_of_the_core_is_seen_at_its_real_place(harness: Harness) -> None:
    (harness.root / "store" / "deep" / "in").mkdir(parents=True)
    (harness.root / "store" / "deep" / "out").mkdir()
    mounts = host_storage(str(harness.root / "store")).mounts("/deep/in/", "deep/out")
    assert harness.run(harness.shell("pwd > here", mounts=mounts)).exit_code == 0
    here = Path(harness.root / "store/deep/out/here").read_text().strip()
    assert here == str(harness.root / "store/deep/out")


def test_the_supervisor_needs_nothing_but_the_standard_library() -> None:
    program = (
        "import sys; before = set(sys.modules); sys.path.append(sys.argv[1]);"
        "import pman_kit.supervisor.main;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "assert new <= sys.stdlib_module_names | {'pman_kit'}, new"
    )
    source = Path(str(pman_kit.__file__)).parents[1]
    subprocess.run([sys.executable, "-I", "-S", "-c", program, source], check=True)
