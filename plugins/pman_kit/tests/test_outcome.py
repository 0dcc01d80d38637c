"""The supervisor, which cannot import the core, uses the words of the core."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from pman_core.kit import outcome as core
from pman_kit.supervisor.outcome import cannot_start, outcome_of_exit, over_time_limit


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (outcome_of_exit(0), core.exited(0)),
        (outcome_of_exit(3), core.exited(3)),
        (outcome_of_exit(-signal.SIGSEGV), core.signalled(signal.SIGSEGV)),
        (outcome_of_exit(-40), core.signalled(40)),
        (over_time_limit(7), core.over_time_limit(7)),
        (cannot_start("why", 127), core.cannot_start("why", 127)),
    ],
)
def test_an_end_has_the_words_of_every_engine(
    written: dict[str, Any], expected: core.Outcome
) -> None:
    del written["at"]
    assert written == {
        "exit_code": expected.exit_code,
        "reason": expected.reason,
        "message": expected.message,
    }
