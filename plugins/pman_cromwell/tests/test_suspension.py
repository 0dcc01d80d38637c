"""Jobs that SLURM suspends: what the conformance class does not ask."""

import time
from collections.abc import Callable

import pytest
from cromwell_kit import slurm, slurm_job

from pman_core.contract.info import JobInfo, Status
from pman_core.contract.job import Resources
from pman_core.kit.names import native_name
from pman_core.testing.conformance import Harness
from pman_cromwell.share.pman_slurm.clock import Clock


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, seconds)


def test_a_clock_does_not_count_while_it_is_held(at: Callable[[float], None]) -> None:
    made = Clock()
    at(10)
    made.begin()
    at(13)
    made.hold()
    at(50)
    made.hold()
    assert (made.seconds(), made.held_s, made.is_held) == (3, 37, True)
    made.go()
    made.go()
    at(51)
    assert (made.seconds(), made.held_s, made.is_held) == (4, 0, False)


def test_a_clock_may_begin_while_it_is_held(at: Callable[[float], None]) -> None:
    made = Clock()
    made.hold()
    at(5)
    made.begin()
    at(9)
    made.go()
    at(10)
    assert made.seconds() == 1


def _until_told(harness: Harness, info: JobInfo, words: str) -> None:
    seen = harness.until(
        words, lambda: harness.status(info.jid), lambda info: words in info.message
    )
    assert seen.status is Status.STARTED


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_is_suspended_again_and_again(harness: Harness, workers: int) -> None:
    place = harness.place()
    memory = harness.subject.memory_mib
    info = harness.hold(place, resources=Resources(workers=workers, memory_mib=memory))
    number = slurm_job(native_name(info.jid))
    for _ in range(2):
        slurm("scontrol", "suspend", number)
        _until_told(harness, info, "suspended")
        slurm("scontrol", "resume", number)
        _until_told(harness, info, "running")
    place.release()
    assert harness.end_of(info.jid).status is Status.SUCCEEDED


def test_a_suspended_job_can_be_removed(harness: Harness) -> None:
    place = harness.place()
    info = harness.hold(place)
    slurm("scontrol", "suspend", slurm_job(native_name(info.jid)))
    _until_told(harness, info, "suspended")
    assert harness.backend.remove(info.jid)
    harness.until("the process to end", place.is_held, lambda held: not held)


def test_a_job_that_slurm_did_not_suspend_after_all_goes_on(harness: Harness) -> None:
    """The signal that comes before a suspension comes from somebody else, or SLURM fails to."""
    place = harness.place()
    info = harness.hold(place)
    number = slurm_job(native_name(info.jid))
    slurm("scancel", "--batch", "--signal=TSTP", number)
    _until_told(harness, info, "suspended")
    _until_told(harness, info, "running")
    place.release()
    assert harness.end_of(info.jid).status is Status.SUCCEEDED
