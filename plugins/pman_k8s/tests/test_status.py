"""A job that runs is reported as started until its end is final."""

from typing import Any

import pytest
from k8s_jobs import BASE
from k8s_objects import (
    BACKOFF,
    FAILURE_TARGET,
    STARTED,
    SUCCESS_MET,
    ended,
    job,
    pod,
    record,
    running,
    unscheduled,
)

from pman_core import Status
from pman_core.kit.times import parsed_time
from pman_k8s.record import progress_patch
from pman_k8s.status.current import state_of
from pman_k8s.status.pods import Pod
from pman_k8s.status.state import info_of

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
    told = state_of(job(**status), [running()])
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
    told = state_of(made, [found])
    assert (told.status, told.reason, told.waits) == (Status.STARTED, None, False)


def test_a_pod_that_could_not_begin_waits_for_nothing_any_more() -> None:
    """Neither a deadline nor an event may end its job: the word of the Job comes soon."""
    told = state_of(job(active=1), [pod("Failed", reason="OutOfcpu", message="not enough cpu")])
    assert (told.status, told.waits) == (Status.NOT_STARTED, False)
    assert "ending: cannot start: OutOfcpu" in told.message
    assert state_of(job(active=1), [pod("Pending")]).waits


@pytest.mark.parametrize(
    "pods",
    [[pod("Failed", reason="Evicted")], [pod("Failed", reason="OutOfcpu")], [pod("Pending")]],
)
def test_a_job_that_has_begun_never_waits_again(pods: list[Object]) -> None:
    made = job(active=1)
    seen = state_of(made, [running()])
    record(made, progress_patch(made, seen, ["the-job-abcde"]))
    told = state_of(made, pods)
    assert (told.status, told.started) == (Status.STARTED, parsed_time(STARTED))
    end = state_of(job(BACKOFF) | {"metadata": made["metadata"]}, [])
    assert (end.status, end.started) == (Status.FAILED, parsed_time(STARTED))


def test_a_node_that_does_not_answer_is_reported() -> None:
    """The node controller of 1.20 says so of each pod, and gives no reason."""
    not_ready = {"type": "Ready", "status": "False"}
    ending = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}
    for condition_, words in ((not_ready, "does not answer"), (ending, "running")):
        told = state_of(job(active=1), [running(conditions=[condition_])])
        assert told.status is Status.STARTED
        assert told.message.endswith(words)


def test_one_running_worker_is_enough() -> None:
    pods = (ended(0, name="a"), running(name="b"), unscheduled())
    assert state_of(job(workers=3), pods).status is Status.STARTED


def test_a_job_is_reported_as_it_was_submitted() -> None:
    info = info_of(job(), state_of(job(), []))
    assert (info.jid, info.image, info.argv) == (BASE.jid, BASE.image, BASE.argv)
    assert (info.fingerprint, info.native) == (BASE.fingerprint, "the-job")
    assert info_of(job(pods="a-pod"), state_of(job(), [])).native == "the-job/a-pod"
    assert info_of(job(pods="a b", workers=2), state_of(job(), [])).native == "the-job"
    assert info.created == parsed_time("2026-11-21T01:00:00Z")


def test_times_never_run_backwards() -> None:
    """The clock of a node may be behind that of the server."""
    early = pod("Running", {"running": {"startedAt": "2026-11-21T00:59:00Z"}})
    info = info_of(job(), state_of(job(), [early]))
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
