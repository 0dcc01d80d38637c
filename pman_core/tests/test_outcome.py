"""The end of a job has one wording, whatever the engine."""

import signal

import pytest

from pman_core import Reason, Status
from pman_core.kit.outcome import (
    Outcome,
    cancelled,
    cannot_start,
    exited,
    lost,
    not_started_in_time,
    out_of_memory,
    over_time_limit,
    signalled,
)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (exited(0), Outcome("finished", None, 0)),
        (exited(3), Outcome("exited with code 3", Reason.EXIT_CODE, 3)),
        (exited(139), Outcome("exited with code 139", Reason.EXIT_CODE, 139)),
        (exited(137), Outcome("killed by signal 9 (SIGKILL, exit code 137)", Reason.KILLED, 137)),
        (
            exited(137, probably_memory=True),
            Outcome(
                "killed by signal 9 (SIGKILL, exit code 137), probably out of memory",
                Reason.KILLED,
                137,
            ),
        ),
        (exited(3, probably_memory=True), exited(3)),
        (signalled(signal.SIGKILL), exited(137)),
        (
            signalled(11),
            Outcome("killed by signal 11 (SIGSEGV, exit code 139)", Reason.KILLED, 139),
        ),
        (
            signalled(40),
            Outcome("killed by signal 40 (a real-time signal, exit code 168)", Reason.KILLED, 168),
        ),
        (
            out_of_memory(),
            Outcome(
                "out of memory: it wanted more than its memory limit (exit code 137)",
                Reason.OUT_OF_MEMORY,
                137,
            ),
        ),
        (
            over_time_limit(60),
            Outcome("ended: it ran for longer than its time limit of 60 s", Reason.TIME_LIMIT, 137),
        ),
        (cannot_start("no", 127), Outcome("cannot start: no", Reason.CANNOT_START, 127)),
        (
            not_started_in_time(5, "pulling"),
            Outcome("not started within 5 s: pulling", Reason.START_DEADLINE),
        ),
        (cancelled(), Outcome("cancelled", Reason.CANCELLED)),
        (lost("its node failed"), Outcome("lost: its node failed", Reason.LOST)),
    ],
)
def test_each_outcome_has_its_words_reason_and_exit_code(
    outcome: Outcome, expected: Outcome
) -> None:
    assert outcome == expected
    assert (outcome.status is Status.SUCCEEDED) == (outcome.reason is None)
