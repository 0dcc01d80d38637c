"""A pman that is killed at any moment loses no job, doubles none, and leaves nothing behind."""

import pytest
from engine_subjects import why_missing
from kills import OPERATIONS, campaign

from pman_core.testing.pytest_plugin import Engines

ROUNDS = 20


@pytest.mark.parametrize("backend", ["process", "docker"])
def test_kills_lose_double_and_leave_nothing(backend: str, engines: Engines) -> None:
    if backend != "process":
        engines.need(backend, why_missing(backend))
    with campaign(backend, seed=ROUNDS) as running:
        for number in range(ROUNDS):
            running.round(OPERATIONS[number % len(OPERATIONS)])
    assert running.faults == []
