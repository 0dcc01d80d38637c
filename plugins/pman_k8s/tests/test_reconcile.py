"""What a look at a job writes on its Job, also where another changes it meanwhile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from k8s_jobs import BASE
from k8s_objects import (
    BACKOFF,
    COMPLETE,
    CREATED,
    STARTED,
    ended,
    event,
    job,
    named,
    pod,
    running,
    state_by,
    waiting,
)
from k8s_standin import LOOKS, Answer, Request, said, standin

from pman_core import JobFilter, Reason, Status
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_core.kit.causes import pull_message
from pman_core.kit.times import parsed_time
from pman_k8s.backend import KubernetesBackend
from pman_k8s.labels import PULL
from pman_k8s.record import end_patch

Object = dict[str, Any]


def test_an_end_that_another_pman_recorded_stays(tmp_path: Path) -> None:
    """Two see the end at once: the second is refused, and reports what the first recorded."""
    seen = named(job(BACKOFF, pods="the-job-abcde"))
    told = state_by(seen, [ended(3)])
    first = named(job(BACKOFF, pods="the-job-abcde"))
    first["metadata"]["annotations"] |= end_patch(seen, told)["metadata"]["annotations"]
    jobs = iter([seen, first])

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            return said(409, "the object has been modified")
        return said(200, next(jobs) if "/jobs/" in request.path else ended(4))

    with standin(tmp_path, answer) as server:
        info = KubernetesBackend(server.environ()).pman_status(BASE.jid)
    assert (info.status, info.exit_code) == (Status.FAILED, 3)


def test_an_end_is_reported_only_once_it_is_recorded(tmp_path: Path) -> None:
    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            return said(500, "etcdserver: request timed out")
        found = named(job(BACKOFF, pods="the-job-abcde"))
        return said(200, found if "/jobs/" in request.path else ended(3))

    with (
        standin(tmp_path, answer) as server,
        pytest.raises(EngineUnavailableError, match="timed out"),
    ):
        KubernetesBackend(server.environ()).pman_status(BASE.jid)


def test_a_lost_run_is_stopped_by_the_change_that_records_its_end(tmp_path: Path) -> None:
    kept = named(job(pods="the-job-abcde", active=1))

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            kept["metadata"]["annotations"] |= request.body["metadata"]["annotations"]
            return said(200, kept)
        return said(200, kept if "/jobs/" in request.path else running(deleted=True))

    with standin(tmp_path, answer) as server:
        info = KubernetesBackend(server.environ()).pman_status(BASE.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST)
    (patch,) = [request.body for request in server.asked if request.method == "PATCH"]
    assert patch["spec"]["parallelism"] == 0
    assert patch["metadata"]["resourceVersion"] == "7"


def test_a_job_that_is_removed_meanwhile_is_unknown(tmp_path: Path) -> None:
    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            return said(404, "not found")
        return said(200, named(job(BACKOFF)) if "/jobs/" in request.path else {"items": []})

    with standin(tmp_path, answer) as server, pytest.raises(UnknownJobError):
        KubernetesBackend(server.environ()).pman_status(BASE.jid)


@pytest.mark.parametrize(
    "change", [{"deletionTimestamp": "2026-11-21T01:00:20Z"}, {"uid": "of-a-later-job"}]
)
def test_no_end_is_reported_of_a_job_that_is_being_removed(
    tmp_path: Path, change: dict[str, str]
) -> None:
    """Its pods go first: a process that has just read the Job finds them gone."""
    jobs = [named(job(active=1, pods="the-job-abcde", begun=True)) for _ in range(2)]
    jobs[1]["metadata"] |= change

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            return said(409, "the object has been modified")
        if "/jobs/" in request.path:
            return said(200, jobs.pop(0) if len(jobs) > 1 else jobs[0])
        return said(404, "not found") if "/pods/" in request.path else said(200, {"items": []})

    with standin(tmp_path, answer) as server, pytest.raises(UnknownJobError):
        KubernetesBackend(server.environ()).pman_status(BASE.jid)


def test_a_job_that_somebody_deletes_is_not_visible(tmp_path: Path) -> None:
    """It is kept for its pods only: a foreground deletion by hand."""
    deleting = named(job())
    deleting["metadata"]["deletionTimestamp"] = "2026-11-21T01:00:20Z"

    def answer(request: Request) -> Answer:
        if request.path.endswith("/jobs"):
            return said(200, {"metadata": {}, "items": [deleting]})
        return said(200, deleting if "/jobs/" in request.path else {"items": []})

    with standin(tmp_path, answer) as server:
        pman = KubernetesBackend(server.environ())
        with pytest.raises(UnknownJobError):
            pman.pman_status(BASE.jid)
        assert pman.pman_list(JobFilter(), 10, None).jobs == ()
        assert pman.pman_remove(BASE.jid) is True


def test_a_webhook_that_forbids_the_record_of_an_end_is_503(tmp_path: Path) -> None:
    """A repeated submission gets the same answer."""

    def answer(request: Request) -> Answer:
        if request.method == "POST":
            return said(409, 'jobs.batch "x" already exists')
        if request.method == "PATCH":
            return said(403, 'admission webhook "policy" denied the request: no')
        found = named(job(BACKOFF, pods="the-job-abcde"))
        return said(200, found if "/jobs/" in request.path else ended(3))

    with standin(tmp_path, answer) as server:
        pman = KubernetesBackend(server.environ())
        with pytest.raises(EngineUnavailableError, match="denied the request"):
            pman.pman_submit(BASE)
        with pytest.raises(EngineUnavailableError, match="denied the request"):
            pman.pman_status(BASE.jid)


@pytest.mark.parametrize("refusal", [said(500, "etcdserver: timed out"), said(400, "no")])
def test_events_that_cannot_be_read_fail_no_status(tmp_path: Path, refusal: Answer) -> None:
    found = named(job(active=1, pods="the-job-abcde"))

    def answer(request: Request) -> Answer:
        if request.path.endswith("/events"):
            return refusal
        return said(200, found if "/jobs/" in request.path else waiting("ContainerCreating"))

    with standin(tmp_path, answer) as server:
        info = KubernetesBackend(server.environ()).pman_status(BASE.jid)
    assert (info.status, info.message) == (Status.NOT_STARTED, "ContainerCreating")
    assert server.asked[-1].path.endswith("/events")


@pytest.mark.parametrize("look", LOOKS)
def test_why_an_image_cannot_be_pulled_is_known_for_longer_than_events_last(
    tmp_path: Path, look: Callable[[KubernetesBackend], Any]
) -> None:
    """Until 1.30 a kubelet that waits for its next attempt does not say it again."""
    kept = named(job(active=1, pods="the-job-abcde"))
    image = "some/image:1"
    pods = [waiting("ErrImagePull", "dial tcp: lookup r: no such host")]
    pods[0]["metadata"]["labels"] = {"controller-uid": "u-1"}

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            kept["metadata"]["annotations"] |= request.body["metadata"]["annotations"]
        if request.path.endswith("/jobs"):
            return said(200, {"metadata": {}, "items": [kept]})
        if request.path.endswith("/events"):
            return said(200, {"items": []})
        if request.path.endswith("/pods"):
            return said(200, {"items": pods})
        return said(200, kept if "/jobs/" in request.path else pods[0])

    with standin(tmp_path, answer) as server:
        pman = KubernetesBackend(server.environ())
        first = pman.pman_status(BASE.jid)
        assert pman.pman_status(BASE.jid) == first
        pods[0]["status"]["containerStatuses"][0]["state"] = {
            "waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling "{image}"'}
        }
        later = look(pman)
        assert pman.pman_status(BASE.jid) == first
        notes = [one.body for one in server.asked if one.method == "PATCH"]
    words = "ErrImagePull: dial tcp: lookup r: no such host"
    assert first.message == later.message == pull_message(image, words)
    assert first.reason is later.reason is Reason.PULLING
    assert [note["metadata"]["annotations"][PULL] for note in notes] == [f"{image}\n{words}"]


@pytest.mark.parametrize(("at", "is_over"), [(CREATED, False), ("2026-11-21T00:59:00Z", True)])
def test_a_cluster_has_a_minute_to_read_its_constraints(
    tmp_path: Path, at: str, is_over: bool
) -> None:
    """There is no pod yet, so it counts from the Job."""
    kept = named(job())
    kept["metadata"]["creationTimestamp"] = at
    words = "unable to validate against any security context constraint: []"

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            kept["metadata"]["annotations"] |= request.body["metadata"]["annotations"]
        if request.path.endswith("/events"):
            return said(200, {"items": [event("FailedCreate", words)]})
        return said(200, kept if "/jobs/" in request.path else {"items": []})

    with standin(tmp_path, answer) as server:
        info = KubernetesBackend(server.environ()).pman_status(BASE.jid)
    end = (Status.FAILED, Reason.CANNOT_START) if is_over else (Status.NOT_STARTED, None)
    assert (info.status, info.reason) == end
    assert words in info.message


def test_a_start_is_written_down_once_and_outlives_its_pod(tmp_path: Path) -> None:
    kept = named(job(active=1, pods="the-job-abcde"))
    pods = [running()]

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            kept["metadata"]["annotations"] |= request.body["metadata"]["annotations"]
        return said(200, kept if "/jobs/" in request.path else pods[0])

    with standin(tmp_path, answer) as server:
        pman = KubernetesBackend(server.environ())
        begun = [pman.pman_status(BASE.jid) for _ in range(2)]
        pods[0] = pod("Failed", reason="Evicted")
        evicted = pman.pman_status(BASE.jid)
    assert begun == [begun[0]] * 2
    assert (evicted.status, evicted.started) == (Status.STARTED, parsed_time(STARTED))
    assert len([request for request in server.asked if request.method == "PATCH"]) == 1


def test_few_workers_are_asked_for_by_name(tmp_path: Path) -> None:
    """A list looks at every pod of the namespace."""
    kept = named(job(active=2, workers=2, pods="a b", begun=True))

    def answer(request: Request) -> Answer:
        name = request.path.rpartition("/")[2]
        return said(200, kept if "/jobs/" in request.path else running(name=name))

    with standin(tmp_path, answer) as server:
        info = KubernetesBackend(server.environ()).pman_status(BASE.jid)
    assert info.status is Status.STARTED
    asked = ["/".join(request.path.split("/")[-2:]) for request in server.asked]
    assert asked[1:] == ["pods/a", "pods/b"]


@pytest.mark.parametrize(
    "made",
    [
        job(COMPLETE, succeeded=2, pods="a", begun=True),  # the cluster has counted another
        job(COMPLETE, succeeded=1, pods="gone", begun=True),
    ],
)
def test_a_second_run_is_not_overlooked(tmp_path: Path, made: Object) -> None:
    """Who asks only for the pods that are known never meets another."""

    def answer(request: Request) -> Answer:
        name = request.path.rpartition("/")[2]
        if request.method == "PATCH":
            notes = made["metadata"]["annotations"] | request.body["metadata"]["annotations"]
            return said(200, {**made, "metadata": {**made["metadata"], "annotations": notes}})
        if "/jobs/" in request.path:
            return said(200, made)
        if name == "pods":
            return said(200, {"items": [ended(name="a"), ended(name="b")]})
        return said(200, ended(name=name)) if name == "a" else said(404, "not found")

    named(made)
    with standin(tmp_path, answer) as server:
        info = KubernetesBackend(server.environ()).pman_status(BASE.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST)
