"""An init runs before each job; what only the init knows is told."""

import signal
from typing import Any

import pytest
from engine_kit import EngineKit, until
from engine_standin import job, play

from pman_core import Reason, Status
from pman_core.contract.capabilities import Deviation
from pman_core.contract.errors import EngineUnavailableError
from pman_docker.init import argv_of, why_not_run

TINI = b"[FATAL tini (7)] exec /no/such failed: No such file or directory\n"
CATATONIT = b"ERROR (catatonit:6): failed to exec pid1: Permission denied\n"

#: Leaves 60 processes without a parent behind; a try that fails is repeated, while some are reaped.
ORPHANS = """
import os, time

def leave_one():
    try:
        child = os.fork()
        if child:
            return os.waitpid(child, 0)[1] == 0
        os.fork()
        os._exit(0)
    except OSError:
        return os._exit(1) if os.getpid() != main else False

main, end, left = os.getpid(), time.monotonic() + 20, 0
while left < 60 and time.monotonic() < end:
    if leave_one():
        left += 1
    else:
        time.sleep(0.05)
raise SystemExit(left < 60)
"""

KILL_SELF = """
import os, signal, sys
number = int(sys.argv[1])
if number != signal.SIGKILL:
    signal.signal(number, signal.SIG_DFL)
os.kill(os.getpid(), number)
"""


def test_processes_without_a_parent_do_not_fill_the_limit(harness: EngineKit) -> None:
    info = harness.run(harness.job("python3", "-c", ORPHANS), harness.pman(PIDS_LIMIT="30"))
    assert info.status is Status.SUCCEEDED, harness.log(info)


def test_the_init_is_none_of_the_processes_that_a_job_may_have(harness: EngineKit) -> None:
    info = harness.run(harness.shell("exit 5"), harness.pman(PIDS_LIMIT="1"))
    assert info.exit_code == 5, (info, harness.log(info))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_signal_that_a_job_sends_itself_ends_it(harness: EngineKit, number: int) -> None:
    info = harness.run(harness.job("python3", "-c", KILL_SELF, str(int(number))))
    assert (info.status, info.exit_code) == (Status.FAILED, 128 + number), info


@pytest.mark.parametrize(
    ("program", "words", "init"),
    [
        ("no such program", "no such file", "yes"),
        ("no such program", "not found", "no"),
        ("/etc/passwd", "permission denied", "yes"),
        ("/etc", "permission denied", "yes"),
    ],
)
def test_a_program_that_cannot_be_run_is_reported(
    harness: EngineKit, program: str, words: str, init: str
) -> None:
    made = harness.job(program, "argument")
    info = harness.run(made, harness.pman(JOB_INIT=init))
    assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START), info
    assert info.exit_code == (126 if "denied" in words else 127), info
    assert program in info.message
    assert words in info.message.lower()
    assert info.argv == made.argv
    assert info.started is None
    again = harness.pman().pman_status(made.jid)  # any pman tells the same
    assert (again.message, again.exit_code) == (info.message, info.exit_code)


@pytest.mark.parametrize(
    "script",
    [
        "no-such-program",
        "exit 1",
        f"printf '{TINI.decode()}'; exit 127",
        "echo '[FATAL tini (7)] exec other failed: No such file or directory' >&2; exit 127",
        "echo first >&2; echo 'ERROR (catatonit:6): failed to exec pid1: No such file' >&2; exit 1",
    ],
)
def test_a_job_that_ends_like_an_init_has_run(harness: EngineKit, script: str) -> None:
    info = harness.run(harness.shell(script))
    assert (info.status, info.reason) == (Status.FAILED, Reason.EXIT_CODE), info
    assert info.exit_code in (1, 127)
    assert info.started


def test_without_an_init_that_is_declared(harness: EngineKit) -> None:
    for init in ("yes", "no"):
        declared = harness.pman(JOB_INIT=init).pman_capabilities().deviations
        assert (Deviation.NO_INIT in declared) == (init == "no")
        with_init = harness.shell("tr '\\0' ' ' < /proc/1/cmdline")
        info = harness.run(with_init, harness.pman(JOB_INIT=init))
        assert (b"init" in harness.log(info)) == (init == "yes")
        assert info.argv == with_init.argv


@pytest.mark.parametrize(
    ("frames", "program", "why"),
    [
        ([(2, TINI)], "/no/such", "No such file or directory"),
        ([(2, TINI.rstrip())], "/no/such", "No such file or directory"),
        ([(2, CATATONIT)], "anything", "Permission denied"),
        ([(2, TINI[:20]), (2, TINI[20:])], "/no/such", "No such file or directory"),
        ([(2, TINI.replace(b"/no/such", b"a\nb"))], "a\nb", "No such file or directory"),
        ([(2, TINI)], "/another", None),
        ([(1, TINI)], "/no/such", None),
        ([(2, TINI), (1, b"more")], "/no/such", None),
        ([(2, TINI), (2, b"more\n")], "/no/such", None),
        ([], "/no/such", None),
    ],
)
def test_an_init_is_known_by_its_words(
    frames: list[tuple[int, bytes]], program: str, why: str | None
) -> None:
    assert why_not_run(frames, program) == why


def test_the_init_is_no_part_of_argv() -> None:
    def container(path: str, *args: str, init: bool) -> dict[str, Any]:
        return {"Path": path, "Args": list(args), "HostConfig": {"Init": init}}

    assert argv_of(container("/run/podman-init", "--", "sh", "-c", init=True)) == ("sh", "-c")
    assert argv_of(container("sh", "--", "x", init=True)) == ("sh", "--", "x")
    own = ("/run/podman-init", "--", "sh")
    assert argv_of(container(*own, init=False)) == own


def test_no_job_fails_for_an_engine_without_an_init() -> None:
    """Docker says so before a job is made; somebody may install one meanwhile."""
    with play() as made:
        made.engine.info = {"InitBinary": "docker-init", "InitCommit": {"ID": "N/A"}}
        for call in (made.pman.pman_ping, lambda: made.pman.pman_submit(job())):
            with pytest.raises(EngineUnavailableError, match="JOB_INIT=no"):
                call()
        assert made.engine.names() == []
        made.engine.info = {"InitBinary": "docker-init", "InitCommit": {"ID": ""}}
        assert made.pman.pman_submit(job()).status is Status.STARTED


@pytest.mark.parametrize(
    "words",
    [
        "container-init binary not found on the host: stat /usr/libexec/podman/catatonit: no such "
        "file or directory",
        'lookup init binary: could not find "catatonit" in one of [/usr/local/libexec/podman]',
    ],
)
def test_no_job_fails_for_a_podman_without_an_init(words: str) -> None:
    with play("podman") as made:
        made.engine.fail("create aa$", words)
        with pytest.raises(EngineUnavailableError, match="JOB_INIT=no"):
            made.pman.pman_submit(job())
        assert made.pman.pman_submit(job()).status is Status.STARTED


def test_a_job_that_waits_for_an_init_says_so() -> None:
    """Its image had to be pulled first."""
    with play("podman") as made:
        made.engine.fail(r"create aa\.run$", "container-init binary not found", times=-1)
        made.pman.pman_submit(job(image="far:1"))
        info = until(lambda: made.pman.pman_status("aa"), lambda info: "JOB_INIT" in info.message)
        assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED)
