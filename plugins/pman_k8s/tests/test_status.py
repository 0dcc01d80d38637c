"""A job that runs is reported as started until its end is final."""

from datetime import timedelta
from typing import Any

import pytest
from k8s_jobs import BASE
from k8s_objects import (
    BACKOFF,
    FAILURE_TARGET,
    NOW,
    STARTED,
    SUCCESS_MET,
    decided,
    ended,
    job,
    pod,
    record,
    running,
    seen,
    state_by,
    unscheduled,
)

from pman_core import Status
from pman_core.kit.times import parsed_time
from pman_k8s.status.decision import events_needed
from pman_k8s.status.pods import Pod

Object = dict[str, Any]


@pytest.mark.parametrize(
    "status",
    [
        {"active": 1},  # 1.20
        {"active": 1, "ready": 1, "uncountedTerminatedPods": {}},  # 1.24
        {"active": 1, "ready": 0, "terminating": 0, "uncountedTerminatedPods": {}},  # 1.31
    ],
)
def test_a_running_job_is_started(status: dict[str, Any]) -> None:
    told = state_by(job(**status), [running()])
    assert (told.status, told.started) == (Status.STARTED, parsed_time(STARTED))
    assert (told.finished, told.exit_code) == (None, None)


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (job(active=1), ended(0)),  # the controller has not seen it yet
        (job(succeeded=1), ended(0)),  # 1.20: counted, no condition yet
        (job(uncountedTerminatedPods={"succeeded": ["uid"]}), ended(0)),  # 1.23
        (job(SUCCESS_MET, succeeded=1, terminating=0), ended(0)),  # 1.31
        (job(active=1), ended(3)),
        (job(failed=1), ended(3)),
        (job(FAILURE_TARGET, failed=1), ended(3)),  # 1.31
        (job(FAILURE_TARGET, failed=1, terminating=1), running(deleted=True)),
        (job(), ended(137, phase="Running")),
        # 1.20: one that was evicted says nothing of its container any more.
        (job(active=1), pod("Failed", reason="Evicted", message="The node was low on ...")),
        (job(active=1), pod("Failed", reason="DeadlineExceeded")),
    ],
)
def test_between_the_end_of_a_pod_and_that_of_its_job_it_is_started(
    made: Object, found: Object
) -> None:
    told = state_by(made, [found])
    assert (told.status, told.reason) == (Status.STARTED, None)


def test_a_pod_that_could_not_begin_waits_for_nothing_any_more() -> None:
    """Neither a deadline nor an event may end its job: the word of the Job comes soon."""
    rejected = pod("Failed", reason="OutOfcpu", message="not enough cpu")
    late = NOW + timedelta(hours=1)
    told = decided(job(active=1), rejected, now=late).info
    assert told.status is Status.NOT_STARTED
    assert "ending: cannot start: OutOfcpu" in told.message
    assert not events_needed(seen(job(active=1), rejected), 60)
    assert decided(job(active=1), pod("Pending"), now=late).info.status is Status.FAILED
    assert events_needed(seen(job(active=1), pod("Pending")), 60)


@pytest.mark.parametrize(
    "pods",
    [[pod("Failed", reason="Evicted")], [pod("Failed", reason="OutOfcpu")], [pod("Pending")]],
)
def test_a_job_that_has_begun_never_waits_again(pods: list[Object]) -> None:
    made = job(active=1)
    patch = decided(made, running()).patch
    assert patch
    record(made, patch)
    told = state_by(made, pods)
    assert (told.status, told.started) == (Status.STARTED, parsed_time(STARTED))
    end = state_by(job(BACKOFF) | {"metadata": made["metadata"]}, [])
    assert (end.status, end.started) == (Status.FAILED, parsed_time(STARTED))


def test_a_node_that_does_not_answer_is_reported() -> None:
    """The node controller of 1.20 says so of each pod, and gives no reason."""
    not_ready = {"type": "Ready", "status": "False"}
    ending = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}
    for condition_, words in ((not_ready, "does not answer"), (ending, "running")):
        told = state_by(job(active=1), [running(conditions=[condition_])])
        assert told.status is Status.STARTED
        assert told.message.endswith(words)


def test_one_running_worker_is_enough() -> None:
    pods = (ended(0, name="a"), running(name="b"), unscheduled())
    assert state_by(job(workers=3), pods).status is Status.STARTED


def test_a_job_is_reported_as_it_was_submitted() -> None:
    info = decided(job()).info
    assert (info.jid, info.image, info.argv) == (BASE.jid, BASE.image, BASE.argv)
    assert (info.fingerprint, info.native) == (BASE.fingerprint, "the-job")
    assert decided(job(pods="a-pod")).info.native == "the-job/a-pod"
    assert decided(job(pods="a b", workers=2)).info.native == "the-job"
    assert info.created == parsed_time("2026-11-21T01:00:00Z")


def test_times_never_run_backwards() -> None:
    """The clock of a node may be behind that of the server."""
    early = pod("Running", {"running": {"startedAt": "2026-11-21T00:59:00Z"}})
    info = decided(job(), early).info
    assert info.started == info.created


@pytest.mark.parametrize(
    ("found", "is_over"),
    [
        (ended(0), True),
        (ended(3), True),
        (running(), False),
        (pod("Failed", {"running": {"startedAt": STARTED}}), False),  # killed just now
        (pod("Failed", reason="Evicted"), False),
        (pod("Pending"), False),
    ],
)
def test_a_phase_alone_is_no_proof_of_an_end(found: Object, is_over: bool) -> None:
    assert Pod(found).has_ended is is_over
