"""The end of a job is the end of its own container, whatever else a webhook put into its pods.

Objects of 1.36 are recorded ones.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from k8s_jobs import BASE
from k8s_objects import (
    BACKOFF,
    COMPLETE,
    ENDED,
    RUNS,
    STARTED,
    ended,
    job,
    named,
    recorded,
    running,
    state_by,
)
from k8s_standin import Answer, Request, said, standin

from pman_core import JobFilter, Reason, Status
from pman_core.kit.times import parsed_time
from pman_k8s.backend import KubernetesBackend
from pman_k8s.labels import PODS_TO_END
from pman_k8s.record import end_patch

Object = dict[str, Any]


EXIT_3: Object = {"terminated": {"exitCode": 3, "reason": "Error", "finishedAt": ENDED}}


def beside(found: Object, state: Object, phase: str = "Running") -> Object:
    """A pod with another container in that state."""
    found["status"]["containerStatuses"].append({"name": "mesh", "state": state})
    found["status"]["phase"] = phase
    return found


def deadline(found: Object, limit: int) -> Object:
    """A pod that its time limit ended."""
    found["spec"]["activeDeadlineSeconds"] = limit
    found["status"] |= {"phase": "Failed", "reason": "DeadlineExceeded", "startTime": STARTED}
    return found


# ------------------------------------------------------------------- other containers


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [(0, Status.SUCCEEDED, None), (3, Status.FAILED, Reason.EXIT_CODE)],
)
@pytest.mark.parametrize("other", [RUNS, {"waiting": {"reason": "ImagePullBackOff"}}])
def test_a_job_has_ended_although_a_sidecar_runs_on(
    code: int, status: Status, reason: Reason | None, other: Object
) -> None:
    told = state_by(job(active=1), [beside(ended(code), other)])
    assert (told.status, told.reason, told.exit_code) == (status, reason, code)
    assert (told.started, told.finished) == (parsed_time(STARTED), parsed_time(ENDED))
    # Its pod is kept, for its log.
    assert (told.pods_to_end, told.ends_it) == (("the-job-abcde",), False)
    assert "spec" not in end_patch(job(active=1), told)


def test_a_job_runs_although_a_sidecar_has_failed() -> None:
    assert state_by(job(active=1), [beside(running(), EXIT_3)]).status is Status.STARTED


def test_a_sidecar_that_fails_makes_no_success_a_failure() -> None:
    """The pod and the Job have failed, and the job has not: recorded, and with a second worker."""
    told = state_by(job(BACKOFF, failed=1), [recorded("classic")])
    assert (told.status, told.reason, told.exit_code) == (Status.SUCCEEDED, None, 0)
    assert told.finished == parsed_time("2026-11-26T21:31:21Z")
    workers = [beside(ended(0, name="a"), EXIT_3, "Failed"), ended(0, name="b")]
    assert state_by(job(BACKOFF, workers=2), workers).status is Status.SUCCEEDED


def test_between_the_failure_of_a_sidecar_and_that_of_the_job_it_is_started() -> None:
    told = state_by(job(active=1), [recorded("classic")])
    assert (told.status, told.pods_to_end) == (Status.STARTED, ())
    assert "ending" in told.message


def test_a_failed_job_has_its_own_exit_code_and_not_a_sidecars() -> None:
    other: Object = {"terminated": {"exitCode": 8, "reason": "Error"}}
    told = state_by(job(BACKOFF, failed=1), [beside(ended(3), other, "Failed")])
    assert (told.exit_code, told.message) == (3, "exited with code 3")


def test_a_worker_that_the_cluster_ended_for_a_sidecar_is_lost_and_the_sidecar_named() -> None:
    workers = [
        beside(ended(0, name="a"), {"terminated": {"exitCode": 8, "reason": "Error"}}, "Failed"),
        running(name="b", deleted=True),
    ]
    told = state_by(job(BACKOFF, workers=2), workers)
    assert (told.status, told.reason) == (Status.FAILED, Reason.LOST)
    assert "pod b was deleted" in told.message
    assert "container mesh of pod a exited with code 8" in told.message


def test_the_workers_of_a_job_end_together() -> None:
    """The pod of one may not be ended before: that would end the others."""
    first = beside(ended(0, name="a"), RUNS)
    waits = state_by(job(active=2, workers=2), [first, running(name="b")])
    assert (waits.status, waits.pods_to_end) == (Status.STARTED, ())
    done = state_by(job(active=1, workers=2), [first, ended(0, name="b")])
    assert (done.status, done.pods_to_end) == (Status.SUCCEEDED, ("a",))
    failed = state_by(
        job(active=2, workers=2), [beside(ended(4, name="a"), RUNS), running(name="b")]
    )
    assert (failed.message, failed.pods_to_end) == ("worker 1 of 2: exited with code 4", ("a", "b"))


def test_a_second_run_is_lost_also_where_a_sidecar_runs_on() -> None:
    told = state_by(job(active=2), [beside(ended(0, name="a"), RUNS), running(name="b")])
    assert (told.status, told.reason, told.ends_it) == (Status.FAILED, Reason.LOST, True)


@pytest.mark.parametrize(
    ("limit", "code", "reason"),
    [
        (60, 0, None),
        (60, 3, Reason.EXIT_CODE),
        # The job itself got SIGTERM, and ended with this code.
        (4, 0, Reason.TIME_LIMIT),
        (4, 143, Reason.TIME_LIMIT),
    ],
)
def test_a_time_limit_of_what_runs_on_is_none_of_the_job(
    limit: int, code: int, reason: Reason | None
) -> None:
    """The job ran for four seconds; pman first looked when its pod had been ended."""
    found = deadline(beside(ended(code), RUNS), limit)
    assert state_by(job(BACKOFF, failed=1), [found]).reason is reason


@pytest.mark.parametrize(
    ("name", "reason", "code"),
    [
        ("sidecar-fail", Reason.EXIT_CODE, 5),
        ("sidecar-oom", Reason.OUT_OF_MEMORY, 137),
        ("timelimit", Reason.TIME_LIMIT, 137),
    ],
)
def test_a_native_sidecar_changes_nothing(name: str, reason: Reason, code: int) -> None:
    told = state_by(job(BACKOFF, failed=1), [recorded(name)])
    assert (told.reason, told.exit_code, told.pods_to_end) == (reason, code, ())


def test_a_native_sidecar_that_still_ends_is_waited_for() -> None:
    """The kubelet ends it; so the last word is the Job's."""
    found = recorded("sidecar-ok")
    assert state_by(job(COMPLETE, succeeded=1), [found]).status is Status.SUCCEEDED
    found["status"]["phase"] = "Running"
    found["status"]["initContainerStatuses"][0]["state"] = RUNS
    told = state_by(job(active=1), [found])
    assert (told.status, told.pods_to_end) == (Status.STARTED, ())


# ------------------------------------------------------------------- ending the rest


class Server:
    """An API server with one Job, whose job has ended with 0 and whose sidecar runs on."""

    def __init__(self) -> None:
        self.job = named(job(active=1, pods="the-job-abcde"))
        self.pod = beside(ended(0), RUNS)
        self.refusal: Answer | None = None

    def answer(self, request: Request) -> Answer:
        is_pod = "/pods/" in request.path
        if request.method == "PATCH" and is_pod:
            return self.refusal or said(200, self.pod)
        if request.method == "PATCH":
            notes = self.job["metadata"]["annotations"] | request.body["metadata"]["annotations"]
            kept = {key: text for key, text in notes.items() if text is not None}
            self.job["metadata"]["annotations"] = kept
        if request.path.endswith("/jobs"):
            return said(200, {"metadata": {}, "items": [self.job]})
        return said(200, self.pod if is_pod else self.job)


def patches(asked: list[Request]) -> list[str]:
    return [request.path.split("/")[-2] for request in asked if request.method == "PATCH"]


def test_the_end_is_written_down_before_the_rest_is_ended(tmp_path: Path) -> None:
    server = Server()
    with standin(tmp_path, server.answer) as between:
        info = KubernetesBackend(between.environ()).pman_status(BASE.jid)
        assert info.status is Status.SUCCEEDED
        assert patches(between.asked) == ["jobs", "pods", "jobs"]
        change = next(one for one in between.asked if "/pods/" in one.path and one.body).body
        assert change == {"spec": {"activeDeadlineSeconds": 1}}
        del between.asked[:]
        assert KubernetesBackend(between.environ()).pman_status(BASE.jid) == info
        assert [request.method for request in between.asked] == ["GET"]


LOOKS: list[Callable[[KubernetesBackend], Any]] = [
    lambda pman: pman.pman_status(BASE.jid),
    lambda pman: pman.pman_list(JobFilter(), 10, None).jobs[0],
]


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(
    "refusal",
    [said(403, 'cannot patch resource "pods" in API group ""'), said(500, "x"), said(422, "x")],
)
def test_an_end_is_reported_even_while_sidecars_cannot_be_ended(
    tmp_path: Path, refusal: Answer, look: Callable[[KubernetesBackend], Any]
) -> None:
    """The next look tries again."""
    server = Server()
    server.refusal = refusal
    with standin(tmp_path, server.answer) as between:
        pman = KubernetesBackend(between.environ())
        first = pman.pman_status(BASE.jid)
        assert first.status is Status.SUCCEEDED
        assert server.job["metadata"]["annotations"][PODS_TO_END] == "the-job-abcde"
        server.refusal = None
        assert look(pman) == first
        assert PODS_TO_END not in server.job["metadata"]["annotations"]
