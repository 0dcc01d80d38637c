"""An init runs before each job; what only the init knows is told."""

import signal

import pytest
from swarm_kit import FIRST, SECOND, SwarmKit
from swarm_subjects import RealSwarm

from pman_core import Deviation, Reason, Status

#: Leaves 100 processes without a parent behind, one after the other.
ORPHANS = "i=0; while [ $i -lt 100 ]; do (true & true) || exit 9; i=$((i + 1)); done"


def test_processes_without_a_parent_do_not_fill_the_limit(harness: SwarmKit) -> None:
    info = harness.run(harness.shell(ORPHANS), harness.pman(PIDS_LIMIT="30"))
    assert info.status is Status.SUCCEEDED, harness.log(info)


def test_the_init_is_none_of_the_processes_that_a_job_may_have(harness: SwarmKit) -> None:
    info = harness.run(harness.shell("exit 5"), harness.pman(PIDS_LIMIT="1"))
    assert info.exit_code == 5, (info, harness.log(info))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_signal_that_a_job_sends_itself_ends_it(harness: SwarmKit, number: int) -> None:
    info = harness.run(harness.shell(f"kill -{int(number)} $$; exit 0"))
    assert (info.status, info.exit_code) == (Status.FAILED, 128 + number), info


@pytest.mark.parametrize("label", [FIRST, SECOND], ids=["first", "second"])
@pytest.mark.parametrize(
    ("program", "words", "init"),
    [
        ("no such program", "no such file", "yes"),
        ("no such program", "not found", "no"),
        ("/etc/passwd", "permission denied", "yes"),
        ("/etc/passwd/x", "not a directory", "yes"),
        ("two\nlines\nof it", "no such file", "yes"),
    ],
)
def test_a_program_that_cannot_be_run_is_reported(
    harness: SwarmKit, two_nodes: RealSwarm, label: str, program: str, words: str, init: str
) -> None:
    made = harness.job(program, "argument")
    info = harness.run(made, harness.pman(NODE_SELECTOR=label, JOB_INIT=init))
    assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START), info
    assert info.exit_code == (127 if "no such" in program or "two" in program else 126), info
    assert program in info.message
    assert words in info.message.lower()
    assert (info.argv, info.started) == (made.argv, None)
    assert harness.pman().pman_status(made.jid) == info


@pytest.mark.parametrize(
    "script",
    [
        "no-such-program",
        "exit 1",
        "echo '[FATAL tini (7)] exec other failed: No such file or directory' >&2; exit 127",
        "echo first; echo '[FATAL tini (7)] exec /bin/sh failed: No such file' >&2; exit 127",
    ],
)
def test_a_job_that_ends_like_an_init_has_run(harness: SwarmKit, script: str) -> None:
    info = harness.run(harness.shell(script))
    assert (info.status, info.reason) == (Status.FAILED, Reason.EXIT_CODE), info


def test_each_worker_has_an_init(harness: SwarmKit) -> None:
    info = harness.run(harness.sized(harness.job("/no/such"), workers=3))
    assert info.reason is Reason.CANNOT_START
    assert "/no/such: No such file" in info.message


def test_without_an_init_that_is_declared(harness: SwarmKit) -> None:
    for init in ("yes", "no"):
        found = harness.pman(JOB_INIT=init).pman_capabilities().deviations
        assert (Deviation.NO_INIT in found) == (init == "no")
