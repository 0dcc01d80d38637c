"""How often a name may do something, on a clock that a test turns."""

from __future__ import annotations

import pytest
from access_helpers import Clock

from pman_core._internal import rate
from pman_core._internal.rate import Rate


@pytest.fixture
def clock() -> Clock:
    return Clock()


def allowed(rate: Rate, name: str, times: int) -> int:
    """How many of so many events at once are allowed."""
    return sum(rate.wait_s(name) == 0 for _ in range(times))


@pytest.mark.parametrize("per_second", [1, 3, 7, 1000])
def test_as_many_are_allowed_at_once_as_come_in_the_burst_and_then_each_in_its_time(
    clock: Clock, per_second: int
) -> None:
    limit = Rate(per_second, 1.0, clock)
    assert allowed(limit, "a", 2 * per_second) == per_second
    clock.now += 1 / per_second
    assert allowed(limit, "a", 2) == 1
    clock.now += 3600
    assert allowed(limit, "a", 2 * per_second) == per_second, "rest is not saved up"


def test_it_says_after_how_many_seconds_the_next_is_allowed(clock: Clock) -> None:
    limit = Rate(0.5, 20.0, clock)
    assert allowed(limit, "a", 10) == 10
    assert limit.wait_s("a") == pytest.approx(2)
    clock.now += 1.5
    assert limit.wait_s("a") == pytest.approx(0.5), "refused ones cost nothing"
    clock.now += limit.wait_s("a")
    assert limit.wait_s("a") == 0


def test_one_name_does_not_use_up_what_another_may(clock: Clock) -> None:
    limit = Rate(5, 1.0, clock)
    assert allowed(limit, "flood", 1000) == 5
    assert allowed(limit, "other", 5) == 5


def test_however_many_names_come_a_few_are_remembered_and_those_that_came_most_stay(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate, "_REMEMBERED", 10)
    limit = Rate(1, 5.0, clock)
    assert allowed(limit, "flood", 6) == 5
    for number in range(100):
        assert limit.wait_s(f"name {number}") == 0
        assert limit.wait_s("flood") > 0
        assert len(limit._paid_until) <= 10
    clock.now += 3600
    limit.wait_s("a")
    assert set(limit._paid_until) == {"a"}
