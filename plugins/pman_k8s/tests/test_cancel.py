"""A cancelled job is recorded as such, then ended, and kept with its log."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from k8s_jobs import BASE, assert_cancelled
from k8s_objects import (
    BACKOFF,
    LATER,
    STARTED,
    ended,
    event,
    job,
    named,
    pod,
    running,
    unscheduled,
)
from k8s_standin import Answer, Request, Standin, said, standin

from pman_core import JobFilter, JobInfo
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_core.kit.settings import load
from pman_core.kit.times import parsed_time
from pman_k8s.backend import KubernetesBackend
from pman_k8s.client import Cluster
from pman_k8s.labels import OUTCOME, PODS_TO_END
from pman_k8s.settings import K8sSettings
from pman_k8s.termination import end_remaining_pods

Object = dict[str, Any]


DEADLINE = {"spec": {"activeDeadlineSeconds": 1}}


STOPPED = {"parallelism": 0, "activeDeadlineSeconds": 1}


class Server:
    """An API server with one Job, whose nodes and controllers do everything at once."""

    def __init__(self, *pods: Object, workers: int = 1) -> None:
        self.job = named(
            job(workers=workers, pods=" ".join(one["metadata"]["name"] for one in pods))
        )
        self.pods = list(pods)
        self.events: list[Object] = []
        #: What is answered to a change of a pod, if it is not made.
        self.refusal: Answer | None = None
        self.nodes_answer = True

    def answer(self, request: Request) -> Answer:
        match request.method, request.path.split("/namespaces/default/")[-1].split("/"):
            case "PATCH", ["jobs", _]:
                self.change_job(request.body)
                return said(200, self.job)
            case "PATCH", ["pods", name]:
                return self.refusal or said(200, self.end(name))
            case "GET", ["jobs"]:
                return said(200, {"metadata": {}, "items": [self.job]})
            case "GET", ["jobs", _]:
                return said(200, self.job)
            case "GET", ["pods"]:
                return said(200, {"items": self.pods})
            case "GET", ["events"]:
                return said(200, {"items": self.events})
            case "GET", ["pods", name]:
                found = [one for one in self.pods if one["metadata"]["name"] == name]
                return said(200, found[0]) if found else said(404, "not found")
            case "GET", ["pods", _, "log"]:
                return 200, "the log", {}
        return said(404, "not found")

    def change_job(self, change: Object) -> None:
        for key, text in change.get("metadata", {}).get("annotations", {}).items():
            self.job["metadata"]["annotations"].pop(key, None)
            if text is not None:
                self.job["metadata"]["annotations"][key] = text
        self.job["spec"] |= change.get("spec", {})
        if self.job["spec"]["parallelism"] == 0:
            over = ("Succeeded", "Failed")
            self.pods = [one for one in self.pods if one["status"]["phase"] in over]
            self.job["status"]["conditions"] = [BACKOFF]

    def end(self, name: str) -> Object:
        (found,) = [one for one in self.pods if one["metadata"]["name"] == name]
        found["spec"] |= DEADLINE["spec"]
        if self.nodes_answer:
            # A kubelet of 1.20 does not say that the container has ended.
            found["status"] |= {"phase": "Failed", "reason": "DeadlineExceeded"}
        return found


def changes(server: Standin) -> list[tuple[str, Object]]:
    """What was changed: jobs or pods, and how."""
    return [
        (request.path.split("/")[-2], request.body)
        for request in server.asked
        if request.method == "PATCH"
    ]


def runs() -> Object:
    return running(startTime=STARTED)


# ------------------------------------------------------------------- in which order


def test_the_end_is_recorded_before_what_runs_is_ended(tmp_path: Path) -> None:
    """And the pod is not deleted, which would take its log with it."""
    cluster = Server(runs())
    with standin(tmp_path, cluster.answer) as server:
        info = KubernetesBackend(server.environ()).pman_cancel(BASE.jid)
    assert_cancelled(info)
    assert info.started == parsed_time(STARTED)
    noted, ended_pod, done = changes(server)
    assert noted[0] == "jobs"
    assert noted[1]["metadata"]["resourceVersion"] == "7"
    assert noted[1]["metadata"]["annotations"].keys() >= {OUTCOME, PODS_TO_END}
    assert "spec" not in noted[1]
    assert ended_pod == ("pods", DEADLINE)
    assert done == ("jobs", {"metadata": {"annotations": {PODS_TO_END: None}}})


@pytest.mark.parametrize(
    "pods",
    [[], [unscheduled()], [pod("Pending", startTime=STARTED)]],
    ids=["none", "queued", "node"],
)
def test_a_waiting_job_is_stopped_by_the_change_that_records_its_end(
    tmp_path: Path, pods: list[Object]
) -> None:
    """A pman that is killed after it leaves nothing that could start."""
    cluster = Server(*pods)
    with standin(tmp_path, cluster.answer) as server:
        pman = KubernetesBackend(server.environ())
        info = pman.pman_cancel(BASE.jid)
        assert_cancelled(info)
        assert pman.pman_logs(info, 10, 1000) == b"(it did not start: cancelled)\n"
    ((what, change),) = changes(server)
    assert (what, change["spec"]) == ("jobs", STOPPED)
    assert OUTCOME in change["metadata"]["annotations"]
    assert info.started is None


def test_what_began_just_now_is_ended_with_its_log(tmp_path: Path) -> None:
    """The kubelet says so in an event first."""
    cluster = Server(pod("Pending", startTime=STARTED))
    begun = event("Started", "Started container job", "Normal", at=LATER)
    begun["involvedObject"] = {"fieldPath": "spec.containers{job}"}
    sidecar = event("Started", "Started container mesh", "Normal", at=STARTED)
    sidecar["involvedObject"] = {"fieldPath": "spec.containers{mesh}"}
    cluster.events = [sidecar, begun]
    with standin(tmp_path, cluster.answer) as server:
        info = KubernetesBackend(server.environ()).pman_cancel(BASE.jid)
    assert info.started == parsed_time(LATER)
    assert ("pods", DEADLINE) in changes(server)
    assert cluster.job["spec"]["parallelism"] == 1


def test_a_worker_that_waits_beside_one_that_ended_is_stopped(tmp_path: Path) -> None:
    """A deadline of its pod would not count before a node has it."""
    done, waits = ended(0, name="a", startTime=STARTED), unscheduled()
    cluster = Server(done, waits, workers=2)
    with standin(tmp_path, cluster.answer) as server:
        assert_cancelled(KubernetesBackend(server.environ()).pman_cancel(BASE.jid))
    assert ("jobs", {"spec": STOPPED}) in changes(server)
    assert cluster.pods == [done]


# ------------------------------------------------------------- after a pman was killed


LOOKS: dict[str, Callable[[KubernetesBackend], object]] = {
    "status": lambda pman: pman.pman_status(BASE.jid),
    "list": lambda pman: pman.pman_list(JobFilter(), 10, None),
    "resume": lambda pman: pman.pman_resume(),
    "cancel": lambda pman: pman.pman_cancel(BASE.jid),
}


@contextlib.contextmanager
def half_cancelled(folder: Path) -> Iterator[tuple[Server, Standin, JobInfo]]:
    """The end of a job is recorded, and not carried out yet."""
    cluster = Server(runs())
    cluster.refusal = said(500, "etcdserver: request timed out")
    with standin(folder, cluster.answer) as server:
        with pytest.raises(EngineUnavailableError):
            KubernetesBackend(server.environ(ENGINE_TIMEOUT="1")).pman_cancel(BASE.jid)
        info = KubernetesBackend(server.environ()).pman_status(BASE.jid)
        assert PODS_TO_END in cluster.job["metadata"]["annotations"]
        cluster.refusal = None
        yield cluster, server, info


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_whoever_looks_next_goes_on(
    tmp_path: Path, look: Callable[[KubernetesBackend], object]
) -> None:
    with half_cancelled(tmp_path) as (cluster, server, info):
        assert_cancelled(info)
        with contextlib.suppress(EngineUnavailableError):  # a resume is called again
            look(KubernetesBackend(server.environ()))
        assert cluster.pods[0]["status"]["phase"] == "Failed"
        pman = KubernetesBackend(server.environ())
        pman.pman_resume()
        assert PODS_TO_END not in cluster.job["metadata"]["annotations"]
        del server.asked[:]
        assert pman.pman_status(BASE.jid) == info
        assert [request.method for request in server.asked] == ["GET"]


def test_a_resume_is_called_again_while_something_is_ending(tmp_path: Path) -> None:
    with half_cancelled(tmp_path) as (cluster, server, _info):
        cluster.nodes_answer = False
        with pytest.raises(EngineUnavailableError, match="1 ended jobs"):
            KubernetesBackend(server.environ()).pman_resume()


# --------------------------------------------------------------------- when it is over


def test_cancel_waits_for_a_container_whose_end_its_kubelet_does_not_report(tmp_path: Path) -> None:
    """Its log has an end then."""
    cluster = Server(runs())
    with standin(tmp_path, cluster.answer) as server:
        KubernetesBackend(server.environ()).pman_cancel(BASE.jid)
    assert server.asked[-1].path.endswith("/pods/the-job-abcde/log")


def test_a_job_that_does_not_end_in_time_is_reported_and_stays_cancelled(tmp_path: Path) -> None:
    cluster = Server(runs())
    cluster.nodes_answer = False
    with standin(tmp_path, cluster.answer) as server:
        pman = KubernetesBackend(server.environ(ENGINE_TIMEOUT="1"))
        with pytest.raises(EngineUnavailableError, match="Cancel it again"):
            pman.pman_cancel(BASE.jid)
        assert_cancelled(pman.pman_status(BASE.jid))
    assert [change for change in changes(server) if change[0] == "pods"] == [("pods", DEADLINE)]


LATE = timedelta(seconds=10)


def test_what_a_node_does_not_begin_is_taken_from_it(tmp_path: Path) -> None:
    """A kubelet that pulls an image sees no deadline; and it lets the pod go only much later."""
    cluster = Server(running(name="a", startTime=STARTED), pod("Pending", name="b"), workers=2)
    cluster.nodes_answer = False
    with standin(tmp_path, cluster.answer) as server:
        pman = KubernetesBackend(server.environ(ENGINE_TIMEOUT="1"))
        with pytest.raises(EngineUnavailableError):
            pman.pman_cancel(BASE.jid)
        api = Cluster(load(K8sSettings, server.environ()), server.environ())
        end = pman.pman_status(BASE.jid).finished
        assert end
        cluster.pods = [pod("Pending", name=name, startTime=STARTED) for name in "ab"]
        del server.asked[:]
        assert not end_remaining_pods(api, cluster.job, end)
        assert [what for what, _change in changes(server)] == ["pods", "pods"]
        del server.asked[:]
        waiting = list(cluster.pods)
        assert not end_remaining_pods(api, cluster.job, end + LATE)
        assert changes(server) == [("jobs", {"spec": STOPPED})]
        cluster.pods = waiting
        cluster.pods[0]["metadata"]["deletionTimestamp"] = LATER
        assert not end_remaining_pods(api, cluster.job, end + LATE)
        (forced,) = [request for request in server.asked if request.method == "DELETE"]
        assert (forced.path.split("/")[-1], forced.body) == ("a", {"gracePeriodSeconds": 0})


def test_a_removal_that_comes_between_wins(tmp_path: Path) -> None:
    cluster = Server(runs())

    def answer(request: Request) -> Answer:
        answered = cluster.answer(request)
        if request.method == "PATCH":
            cluster.job["metadata"]["deletionTimestamp"] = LATER
        return answered

    with standin(tmp_path, answer) as server, pytest.raises(UnknownJobError):
        KubernetesBackend(server.environ()).pman_cancel(BASE.jid)


def test_what_may_not_be_ended_in_its_pod_is_deleted_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An account without ``patch`` of pods, as pman 6 had, cancels all the same."""
    cluster = Server(runs())
    cluster.refusal = said(403, 'cannot patch resource "pods" in API group ""')
    with standin(tmp_path, cluster.answer) as server, caplog.at_level(logging.WARNING):
        assert_cancelled(KubernetesBackend(server.environ()).pman_cancel(BASE.jid))
    assert cluster.pods == []
    assert "their logs with them: pman is not allowed to patch pods" in caplog.text
