"""A job that is removed leaves nothing, also where its removal was broken off."""

from pathlib import Path
from typing import Any

import pytest
from k8s_cluster import admin, until
from k8s_jobs import BASE
from k8s_kit import K8sKit
from k8s_objects import CREATED, LATER, ended, job, named, pod, running
from k8s_standin import Answer, Request, Standin, said, standin

from pman_core import Resources, Status
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_k8s.backend import KubernetesBackend


def test_a_removed_job_leaves_no_pod(kit: K8sKit) -> None:
    place = kit.place()
    pman = kit.pman()
    job = kit.hold(place, resources=Resources(memory_mib=64, workers=2))
    pman.pman_submit(job)
    until(place.runs, lambda runs: runs == 2)
    assert pman.pman_remove(job.jid)
    assert kit.pods() == []


def test_a_jid_is_free_only_once_all_of_its_job_is_gone(kit: K8sKit) -> None:
    """Something of the site keeps the pod: neither its end nor force takes it away."""
    pman, hasty = kit.pman(), kit.pman(ENGINE_TIMEOUT="5")
    place, other = kit.place(), kit.place()
    job = kit.hold(place)
    kit.start(pman, job, place)
    (pod,) = kit.pods(job.jid)
    keep(pod, ["pman.example/kept"])
    try:
        with pytest.raises(EngineUnavailableError, match="still there"):
            hasty.pman_remove(job.jid)
        with pytest.raises(UnknownJobError):
            pman.pman_status(job.jid)
        with pytest.raises(EngineUnavailableError, match="being removed"):
            hasty.pman_submit(job)
    finally:
        keep(pod, None)
    pman.pman_remove(job.jid)  # or the cluster itself was quicker
    assert kit.pods(job.jid) == []
    assert pman.pman_remove(job.jid) is False
    other.path("release").touch()
    assert kit.run(pman, kit.hold(other, jid=job.jid)).status is Status.SUCCEEDED
    assert other.runs() == 1


def keep(pod: dict[str, Any], finalizers: list[str] | None) -> None:
    """Let a pod stay until somebody says that it may go."""
    path = "/api/v1/namespaces/{namespace}/pods/{name}".format(**pod["metadata"])
    change = {"metadata": {"finalizers": finalizers}}
    admin().ask("PATCH", path, change, "application/merge-patch+json")


class DeletingCluster:
    """A cluster with one job, whose pod runs; it deletes nothing at once."""

    def __init__(self) -> None:
        self.job: dict[str, Any] | None = named(job(pods="the-job-abcde"))
        self.pods = [running()]
        self.list_answer: Answer | None = None

    def answer(self, request: Request) -> Answer:
        match request.method, request.path.split("/namespaces/default/")[-1].split("/"):
            case "POST", ["jobs"]:
                return said(409, "already exists") if self.job else said(201, named(job()))
            case "GET", ["jobs", _] if self.job:
                return said(200, self.job)
            case "DELETE", ["jobs", _] if self.job:
                self.delete(request.body["propagationPolicy"])
                return said(200, {})
            case "GET", ["pods"]:
                return self.list_answer or said(200, {"items": self.pods})
            case "GET", ["pods", _] if self.pods:
                return said(200, self.pods[0])
            case "DELETE", ["pods", _]:
                self.pods = []
                return said(200, {})
        return said(404, "not found")

    def delete(self, policy: str) -> None:
        assert self.job
        if policy == "Foreground":
            self.job["metadata"]["deletionTimestamp"] = LATER
        else:
            assert not self.pods, "the Job goes first, and nobody finds its pods any more"
            self.job = None


def test_a_removal_that_was_broken_off_is_gone_on_with(tmp_path: Path) -> None:
    """Until its last pod is gone a job is not seen, and its jid cannot be used."""
    cluster = DeletingCluster()
    with standin(tmp_path, cluster.answer) as server:
        cluster.list_answer = said(503, "etcdserver: leader changed")
        with pytest.raises(EngineUnavailableError, match="leader changed"):
            KubernetesBackend(server.environ()).pman_remove(BASE.jid)
        pman = KubernetesBackend(server.environ())
        with pytest.raises(UnknownJobError):
            pman.pman_status(BASE.jid)
        with pytest.raises(EngineUnavailableError, match="being removed"):
            pman.pman_submit(BASE)
        cluster.list_answer, cluster.pods = None, [running()]
        assert pman.pman_remove(BASE.jid) is True
        assert (cluster.job, cluster.pods) == (None, [])
        assert pman.pman_remove(BASE.jid) is False
        assert pman.pman_submit(BASE).status is Status.NOT_STARTED


def test_a_removal_lists_pods_once(tmp_path: Path) -> None:
    cluster = DeletingCluster()
    with standin(tmp_path, cluster.answer) as server:
        assert KubernetesBackend(server.environ()).pman_remove(BASE.jid)
    assert len([one for one in server.asked if one.path.endswith("/pods")]) == 1


class Clock:
    """The time of a removal; it goes on only while the removal pauses."""

    def __init__(self, pause_s: float) -> None:
        self.now = 0.0
        self.pause_s = pause_s

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += self.pause_s


def orders(server: Standin) -> list[int | None]:
    """The graces with which the pod was deleted."""
    return [
        request.body.get("gracePeriodSeconds")
        for request in server.asked
        if request.method == "DELETE" and "/pods/" in request.path
    ]


@pytest.mark.parametrize("pause_s", [6, 100])  # a machine may stand still for a while
@pytest.mark.parametrize(
    ("found", "graces"),
    [
        (ended(3), [0]),
        (running(conditions=[{"type": "Ready", "status": "False"}]), [0]),  # no node answers
        (running(), [None, 0]),
        (pod("Pending", startTime=CREATED), [None, 0]),
    ],
)
def test_only_what_still_may_run_is_waited_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: dict[str, Any],
    graces: list[int | None],
    pause_s: float,
) -> None:
    """And whatever the time, nothing is given up before force was tried."""

    def answer(request: Request) -> Answer:
        if request.method == "DELETE" and request.body.get("gracePeriodSeconds") == 0:
            gone.append(request.path)
        if request.path.endswith("/pods"):
            return said(200, {"items": [] if gone else [found]})
        if "/pods/" in request.path:
            return said(404, "not found") if gone else said(200, found)
        return said(200, named(job()))

    gone: list[str] = []
    monkeypatch.setattr("pman_k8s.removal.time", Clock(pause_s))
    with standin(tmp_path, answer) as server:
        assert KubernetesBackend(server.environ(ENGINE_TIMEOUT="20")).pman_remove(BASE.jid)
    assert orders(server) == graces


def test_a_pod_that_stays_is_deleted_by_force_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: Request) -> Answer:
        if request.path.endswith("/pods"):
            return said(200, {"items": [running()]})
        return said(200, running() if "/pods/" in request.path else named(job()))

    monkeypatch.setattr("pman_k8s.removal.time", Clock(6))
    with (
        standin(tmp_path, answer) as server,
        pytest.raises(EngineUnavailableError, match="the-job-abcde"),
    ):
        KubernetesBackend(server.environ(ENGINE_TIMEOUT="20")).pman_remove(BASE.jid)
    assert orders(server) == [None, 0]
