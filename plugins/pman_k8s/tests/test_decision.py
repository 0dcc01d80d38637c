"""What becomes of a job by all that was seen of it at one moment, and what is asked for that."""

from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest
from k8s_objects import (
    BACKOFF,
    CREATED,
    ENDED,
    LATER,
    NOW,
    STARTED,
    decided,
    ended,
    event,
    job,
    pod,
    record,
    running,
    seen,
    unscheduled,
    waiting,
)

from pman_core import Reason, Status
from pman_core.kit.causes import pull_message
from pman_core.kit.times import parsed_time
from pman_k8s.labels import OUTCOME, PODS, PODS_TO_END, PULL
from pman_k8s.labels import STARTED as START
from pman_k8s.status.decision import events_needed

Object = dict[str, Any]

POD = "the-job-abcde"
EARLY = "2026-11-21T00:59:59Z"  # by the clock of a node that is behind
STOPPED = {"parallelism": 0, "activeDeadlineSeconds": 1}


def known(**more: Any) -> Object:
    """A Job of whose pod pman knows."""
    return job(active=1, pods=POD, **more)


def begun(at: str = LATER) -> Object:
    found = event("Started", "Started container job", "Normal", at=at)
    found["involvedObject"] = {"fieldPath": "spec.containers{job}"}
    return found


# ---------------------------------------------------------------------- what is written


@pytest.mark.parametrize(
    ("made", "found", "notes"),
    [
        (job(), (), None),
        (job(active=1), (unscheduled(),), {PODS: POD}),
        (known(), (unscheduled(),), None),
        (known(), (running(),), {PODS: POD, START: parsed_time(STARTED)}),
        (known(begun=True), (running(),), None),
        (
            known(),
            (waiting("ErrImagePull", "dial tcp: no such host"),),
            {PODS: POD, PULL: "some/image:1\nErrImagePull: dial tcp: no such host"},
        ),
        (known(), (waiting("ImagePullBackOff", "Back-off"),), None),
        (job(workers=2, pods="a b", begun=True), (ended(4, name="a"),), None),  # b is gone
    ],
)
def test_what_is_new_of_a_job_is_written_once(
    made: Object, found: tuple[Object, ...], notes: Object | None
) -> None:
    told = decided(made, *found)
    assert not told.info.status.is_final
    written = told.patch and dict(told.patch["metadata"]["annotations"])
    if written and START in written:
        written[START] = parsed_time(written[START])
    assert written == notes
    if told.patch:
        assert told.patch["metadata"]["resourceVersion"] == "7"
        record(made, told.patch)
        assert decided(made, *found).patch is None


@pytest.mark.parametrize(
    ("made", "found", "status", "reason", "is_stopped"),
    [
        (known(begun=True), running(deleted=True), Status.FAILED, Reason.LOST, True),
        (job(BACKOFF, pods=POD), ended(3), Status.FAILED, Reason.EXIT_CODE, False),
        (
            known(),
            waiting("ErrImagePull", "manifest unknown"),
            Status.FAILED,
            Reason.IMAGE_NOT_FOUND,
            True,
        ),
        (known(), waiting("ErrImageNeverPull"), Status.FAILED, Reason.CANNOT_START, True),
    ],
)
def test_an_end_is_recorded_with_its_pods_and_stops_what_the_cluster_would_go_on_with(
    made: Object, found: Object, status: Status, reason: Reason, is_stopped: bool
) -> None:
    told = decided(made, found)
    assert (told.info.status, told.info.reason) == (status, reason)
    assert told.info.finished == (parsed_time(ENDED) if reason is Reason.EXIT_CODE else NOW)
    assert told.patch
    assert told.patch["metadata"]["annotations"].keys() == {OUTCOME, PODS}
    assert told.patch.get("spec") == (STOPPED if is_stopped else None)


def test_an_image_that_does_not_exist_is_named() -> None:
    told = decided(known(), waiting("ErrImagePull", "manifest unknown")).info
    assert told.message == pull_message("some/image:1", "ErrImagePull: manifest unknown")
    assert "no such image" in told.message
    assert (told.started, told.finished) == (None, NOW)


@pytest.mark.parametrize(
    "found", [(), (running(),), (running(deleted=True),), (ended(0),), (pod("Pending"),)]
)
@pytest.mark.parametrize("cancels", [False, True])
def test_a_recorded_end_stays_whatever_is_seen_later(
    found: tuple[Object, ...], cancels: bool
) -> None:
    made = job(BACKOFF, pods=POD)
    first = decided(made, ended(3))
    assert first.patch
    record(made, first.patch)
    made["status"] = {"active": 1}
    later = decided(made, *found, cancels=cancels, now=NOW + timedelta(days=1))
    assert (later.patch, later.info.exit_code) == (None, 3)
    assert later.info.finished == first.info.finished == parsed_time(ENDED)
    assert not events_needed(seen(made, *found), 60, cancels=cancels)


# ------------------------------------------------------------------- how long it may wait


NO_SUB_PATH = 'failed to prepare subPath for volumeMount "x"'


@pytest.mark.parametrize(
    ("at", "status", "reason"),
    [
        (CREATED, Status.NOT_STARTED, None),
        ("2026-11-21T00:59:16Z", Status.NOT_STARTED, None),
        ("2026-11-21T00:59:15Z", Status.FAILED, Reason.CANNOT_START),
        ("2026-11-21T00:59:00Z", Status.FAILED, Reason.CANNOT_START),
    ],
)
def test_a_file_server_has_a_minute_to_come_back(
    at: str, status: Status, reason: Reason | None
) -> None:
    found = waiting("CreateContainerConfigError", NO_SUB_PATH)
    found["status"]["startTime"] = at
    told = decided(known(), found).info
    assert (told.status, told.reason) == (status, reason)
    assert "prepare subPath" in told.message


def test_a_cause_counts_only_once_a_node_has_tried() -> None:
    """The pod waited in the queue before."""
    made, found = known(), waiting("CreateContainerConfigError", NO_SUB_PATH)
    made["metadata"]["creationTimestamp"] = "2026-11-21T00:59:20Z"
    found["metadata"]["creationTimestamp"] = "2026-11-21T00:59:20Z"
    del found["status"]["startTime"]
    assert decided(made, found).info.status is Status.NOT_STARTED


def test_what_can_never_start_says_so_also_after_it_has_waited_too_long() -> None:
    found = waiting("ErrImagePull", "manifest unknown")
    told = decided(known(), found, now=NOW + timedelta(hours=1)).info
    assert told.reason is Reason.IMAGE_NOT_FOUND


def test_a_message_of_a_job_that_has_waited_too_long_says_what_for() -> None:
    failed = event("FailedMount", "timed out waiting for the condition")
    late = NOW + timedelta(minutes=1)
    told = decided(known(), waiting("ContainerCreating"), now=late, events=[failed]).info
    assert (told.status, told.reason) == (Status.FAILED, Reason.START_DEADLINE)
    assert told.message == (
        "not started within 60 s: FailedMount: timed out waiting for the condition"
    )
    assert told.finished == late


# ------------------------------------------------------------------------- cancelling


@pytest.mark.parametrize(
    ("made", "found", "events", "started", "on_nodes"),
    [
        (job(), (), (), None, ""),
        (known(), (unscheduled(),), (), None, ""),
        (known(), (pod("Pending", startTime=STARTED),), (), None, ""),
        (known(), (pod("Pending", startTime=STARTED),), (begun(),), LATER, POD),
        (known(), (pod("Pending", startTime=STARTED),), (begun(at=EARLY),), CREATED, POD),
        (known(), (pod("Pending"),), (begun(),), None, ""),  # its node says nothing of it yet
        (known(), (running(startTime=STARTED),), (), STARTED, POD),
        (
            job(workers=2, pods="a b"),
            (running(name="a", startTime=STARTED), pod("Pending", name="b")),
            (),
            STARTED,
            "a",
        ),
    ],
)
def test_what_has_begun_is_cancelled_on_its_nodes_and_what_has_not_is_stopped(
    made: Object, found: tuple[Object, ...], events: tuple[Object, ...], started: str, on_nodes: str
) -> None:
    told = decided(made, *found, events=events, cancels=True)
    assert (told.info.status, told.info.reason) == (Status.FAILED, Reason.CANCELLED)
    assert (told.info.started, told.info.finished) == (parsed_time(started), NOW)
    assert told.patch
    assert told.patch["metadata"]["annotations"].get(PODS_TO_END, "") == on_nodes
    assert told.patch.get("spec") == (None if on_nodes else STOPPED)


def test_what_has_ended_is_not_cancelled() -> None:
    for made, found in (
        (job(BACKOFF, pods=POD), ended(3)),
        (known(), running(deleted=True)),
        (known(), waiting("ErrImagePull", "manifest unknown")),
    ):
        assert decided(made, found, cancels=True) == decided(made, found)


# -------------------------------------------------------------- whose events are asked for


FIRST = "uid-of-" + POD
JUST_NOW = NOW - timedelta(seconds=13)  # two seconds after its creation


@pytest.mark.parametrize(
    ("made", "found", "now", "wanted", "for_cancel"),
    [
        (job(), (), NOW, "u-1", "u-1"),
        (job(), (), JUST_NOW, None, None),
        (known(), (running(),), NOW, None, None),
        (job(BACKOFF), (ended(3),), NOW, None, None),
        (known(), (unscheduled(),), NOW, None, None),
        (known(), (waiting("ContainerCreating"),), NOW, FIRST, FIRST),
        (known(), (waiting("ContainerCreating"),), JUST_NOW, None, FIRST),
        (known(), (pod("Pending"),), JUST_NOW, None, None),
        (known(), (waiting("CreateContainerError", "no such device"),), NOW, None, FIRST),
        (known(), (waiting("ErrImagePull", "manifest unknown"),), NOW, None, None),
        (known(), (waiting("ImagePullBackOff", "Back-off"),), NOW, FIRST, FIRST),
    ],
)
def test_events_are_asked_for_only_where_they_say_more(
    made: Object,
    found: tuple[Object, ...],
    now: datetime,
    wanted: str | None,
    for_cancel: str | None,
) -> None:
    observed = seen(made, *found, now=now)
    assert events_needed(observed, 60) == wanted
    assert events_needed(observed, 60, cancels=True) == for_cancel
    silent = [event("Scheduled", "Successfully assigned", "Normal")]
    assert events_needed(seen(made, *found, now=now, events=silent), 60, cancels=True) is None


def test_the_events_of_each_worker_are_asked_for_until_one_says_that_it_began() -> None:
    made = job(workers=3, pods="a b c")
    found = [waiting("ContainerCreating", name=name) for name in "abc"]
    silent = [event("Scheduled", "Successfully assigned", "Normal")]
    observed = seen(made, *found, events=silent)
    assert events_needed(observed, 60, cancels=True) == "uid-of-b"
    assert events_needed(seen(made, *found, events=[begun()]), 60, cancels=True) is None


def test_of_many_workers_the_events_of_a_few_are_asked_for() -> None:
    found = [waiting("ErrImagePull", "no such host", name=f"w{number}") for number in range(12)]
    observed = seen(job(workers=12, pods=" ".join(f"w{number}" for number in range(12))), *found)
    asked: list[str] = []
    while uid := events_needed(observed, 60, cancels=True):
        asked.append(uid)
        observed = attrs.evolve(observed, events={**observed.events, uid: ()})
    assert asked == [f"uid-of-w{number}" for number in range(10)]
