"""What Jobs and pods of servers from 1.20 to 1.34 say of an end becomes the end of a job."""

from typing import Any

import pytest
from k8s_objects import (
    BACKOFF,
    COMPLETE,
    DISRUPTION,
    ENDED,
    FAILURE_TARGET,
    LATER,
    STARTED,
    SUCCESS_MET,
    condition,
    ended,
    job,
    pod,
    running,
    state_by,
)

from pman_core import Reason, Status
from pman_core.kit.times import parsed_time

Object = dict[str, Any]


@pytest.mark.parametrize("conditions", [(COMPLETE,), (SUCCESS_MET, COMPLETE)])
def test_a_complete_job_succeeded(conditions: tuple[Object, ...]) -> None:
    told = state_by(job(*conditions, succeeded=1, completionTime=LATER), [ended(0)])
    assert (told.status, told.exit_code, told.reason) == (Status.SUCCEEDED, 0, None)
    assert (told.started, told.finished) == (parsed_time(STARTED), parsed_time(LATER))
    assert not told.ends_it


def test_success_needs_no_pods() -> None:
    told = state_by(job(COMPLETE, succeeded=1, completionTime=LATER, pods="gone"), [])
    assert (told.status, told.exit_code, told.finished) == (Status.SUCCEEDED, 0, parsed_time(LATER))


@pytest.mark.parametrize(
    ("found", "reason", "code", "words"),
    [
        (ended(3), Reason.EXIT_CODE, 3, "exited with code 3"),
        (ended(137), Reason.KILLED, 137, "137"),
        (ended(137, "OOMKilled"), Reason.OUT_OF_MEMORY, 137, "memory"),
        (ended(1, "OOMKilled"), Reason.OUT_OF_MEMORY, 1, "memory limit (exit code 1)"),
        (
            ended(127, "ContainerCannotRun", 'exec: "nope": executable file not found in $PATH'),
            Reason.CANNOT_START,
            127,
            '"nope"',
        ),
        (
            ended(128, "StartError", 'exec: "nope": executable file not found in $PATH: unknown'),
            Reason.CANNOT_START,
            128,
            '"nope"',
        ),
        (ended(137, "ContainerStatusUnknown", "could not be located"), Reason.LOST, None, "lost"),
        (
            running(limit=2) | {"status": {"phase": "Failed", "reason": "DeadlineExceeded"}},
            Reason.TIME_LIMIT,
            None,
            "2 s",
        ),
        (ended(137, limit=2) | {}, Reason.KILLED, 137, "137"),
        (
            pod("Failed", reason="Evicted", message="The node was low on resource: memory."),
            Reason.LOST,
            None,
            "Evicted: The node was low",
        ),
        (
            pod("Failed", reason="OutOfcpu", message="Node didn't have enough resource: cpu"),
            Reason.CANNOT_START,
            None,
            "OutOfcpu",
        ),
        (pod("Failed", reason="NodeShutdown", message="..."), Reason.LOST, None, "NodeShutdown"),
    ],
)
@pytest.mark.parametrize("conditions", [(BACKOFF,), (FAILURE_TARGET, BACKOFF)])
def test_a_failure_has_its_reason(
    conditions: tuple[Object, ...], found: Object, reason: Reason, code: int | None, words: str
) -> None:
    told = state_by(job(*conditions, failed=1), [found])
    assert (told.status, told.reason, told.exit_code) == (Status.FAILED, reason, code)
    assert words in told.message
    assert told.finished
    assert not told.ends_it


def test_what_could_not_start_has_no_start() -> None:
    assert state_by(job(BACKOFF), [ended(127, "ContainerCannotRun")]).started is None


def test_of_several_workers_the_first_failure_counts() -> None:
    first = ended(4, name="b")
    killed = ended(137, name="a", deleted=True)  # by the controller, because of the first
    told = state_by(job(BACKOFF, workers=2), [killed, first])
    assert (told.exit_code, told.finished) == (4, parsed_time(ENDED))
    assert told.message == "worker 2 of 2: exited with code 4"


def test_a_failed_job_whose_pod_is_gone_is_lost() -> None:
    told = state_by(job(BACKOFF, failed=1, pods="gone"), [])
    assert (told.status, told.reason) == (Status.FAILED, Reason.LOST)
    assert "BackoffLimitExceeded" in told.message


def test_a_pod_failure_policy_names_the_disruption() -> None:
    """Since 1.26 a disruption fails the job."""
    policy = condition("Failed", "PodFailurePolicy", "Pod ns/x has condition DisruptionTarget")
    evicted = ended(137, deleted=True, conditions=[DISRUPTION])
    told = state_by(job(policy, failed=1), [evicted])
    assert (told.status, told.reason) == (Status.FAILED, Reason.LOST)
    assert "Eviction API: evicting" in told.message


@pytest.mark.parametrize(
    ("made", "pods"),
    [
        (job(active=1, pods="the-job-abcde"), [running(deleted=True)]),  # by hand, or evicted
        (job(active=1, pods="the-job-first"), [running()]),  # a second run
        (job(active=1, pods="the-job-first"), []),
        (job(active=1), [running(name="a"), running(name="b")]),
        (job(active=2, workers=2, pods="a b"), [running(name="a"), running(name="c")]),
        (job(active=1), [running(name="a", deleted=True), pod("Pending", name="b")]),
    ],
)
def test_a_run_that_is_taken_away_is_lost_and_never_begun_anew(
    made: Object, pods: list[Object]
) -> None:
    told = state_by(made, pods)
    assert (told.status, told.reason) == (Status.FAILED, Reason.LOST)
    assert told.ends_it


@pytest.mark.parametrize(
    ("made", "pods"),
    [
        (job(active=1, workers=2, pods="a"), [running(name="a"), running(name="b")]),
        (job(active=1, pods="the-job-abcde"), [running()]),
        # A worker fails, and the controller takes the others away before it says so.
        (job(workers=2, pods="a b"), [ended(4, name="a"), running(name="b", deleted=True)]),
        (job(pods="the-job-abcde"), [ended(0, deleted=True)]),
    ],
)
def test_a_job_is_not_lost_too_soon(made: Object, pods: list[Object]) -> None:
    assert state_by(made, pods).status is Status.STARTED


TWO_RUNS = [ended(0, name="a"), ended(0, name="b")]


@pytest.mark.parametrize(
    ("made", "pods"),
    [
        (job(COMPLETE, succeeded=2), TWO_RUNS),
        (job(COMPLETE, succeeded=1, active=1), [ended(0, name="a"), running(name="b")]),
        (job(COMPLETE, succeeded=1, pods="first", begun=True), [ended(0)]),
        (job(COMPLETE, SUCCESS_MET, succeeded=2, pods="a", begun=True), TWO_RUNS),
    ],
)
def test_a_job_that_ran_twice_did_not_succeed(made: Object, pods: list[Object]) -> None:
    """What two runs at a time have left in the output is unknown."""
    told = state_by(made, pods)
    assert (told.status, told.reason) == (Status.FAILED, Reason.LOST)
    assert "begun anew" in told.message
    assert not told.ends_it


@pytest.mark.parametrize(
    ("made", "pods"),
    [
        # What was taken away had not begun, or is gone since the end.
        (job(COMPLETE, succeeded=1, pods="first"), [ended(0)]),
        (job(COMPLETE, succeeded=1), [ended(0, name="a"), pod("Pending", name="b")]),
        (job(COMPLETE, succeeded=1, pods="gone", begun=True), []),
        (job(COMPLETE, workers=2, succeeded=2, pods="a b", begun=True), [ended(0, name="a")]),
        (job(COMPLETE, workers=2, succeeded=2), TWO_RUNS),
    ],
)
def test_a_job_that_ran_once_succeeded(made: Object, pods: list[Object]) -> None:
    assert state_by(made, pods).status is Status.SUCCEEDED
