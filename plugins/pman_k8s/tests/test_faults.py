"""Parts of the cluster die, and no job is lost: on a cluster that is the tests' own."""

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from k8s_cluster import PYTHON_LEAVES_SOCKETS, admin, kubectl, part, until
from k8s_kit import K8sKit

from pman_core import JobFilter, Reason, Resources, Status
from pman_core.contract.errors import EngineUnavailableError
from pman_k8s.status.job import conditions

pytestmark = [pytest.mark.timeout(600), pytest.mark.filterwarnings(PYTHON_LEAVES_SOCKETS)]


def test_an_api_server_that_is_killed_loses_no_job(fragile: K8sKit) -> None:
    """One ends while it is down, one runs on, one is submitted and gets 503."""
    pman = fragile.pman(ENGINE_TIMEOUT="5")
    ending, lasting = fragile.place(), fragile.place()
    first, second = fragile.hold(ending), fragile.hold(lasting)
    fragile.start(pman, first, ending)
    fragile.start(pman, second, lasting)
    late = fragile.shell("echo late")
    part("kill", "kube-apiserver")
    try:
        for ask in (
            lambda: pman.pman_status(first.jid),
            lambda: pman.pman_submit(late),
            lambda: pman.pman_remove(first.jid),
            lambda: pman.pman_list(JobFilter(), 10, None),
            pman.pman_ping,
        ):
            with pytest.raises(EngineUnavailableError, match="cannot be reached"):
                ask()
        ending.path("release").touch()
        time.sleep(2)  # the job ends unseen
    finally:
        part("start", "kube-apiserver")
    assert fragile.end_of(pman, first.jid).status is Status.SUCCEEDED
    assert pman.pman_status(second.jid).status is Status.STARTED
    assert fragile.run(pman, late).status is Status.SUCCEEDED
    lasting.path("release").touch()
    assert fragile.end_of(pman, second.jid).status is Status.SUCCEEDED
    assert (ending.runs(), lasting.runs()) == (1, 1)


def test_submits_while_the_api_server_is_killed_run_once(fragile: K8sKit) -> None:
    """Clients repeat what was answered with 503.

    The controller is down too: one that is making a pod just then does not know whether it did,
    and may make another, which is the cluster's own second run; see the next test.
    """
    places = [fragile.place() for _ in range(6)]
    jobs = [fragile.shell("echo run >> /share/outgoing/runs", place) for place in places]
    pmans = [fragile.pman(ENGINE_TIMEOUT="5") for _ in jobs]

    refused = threading.Event()

    def accepted(number: int) -> bool:
        try:
            pmans[number].pman_submit(jobs[number])
        except EngineUnavailableError:
            refused.set()
            return False
        return True

    def submit(number: int) -> None:
        # Again and again, so that some meet the server as it dies.
        while not refused.is_set():
            accepted(number)
        until(lambda: accepted(number), bool)

    with ThreadPoolExecutor(len(jobs)) as pool:
        submits = [pool.submit(submit, number) for number in range(len(jobs))]
        try:
            part("kill", "kube-controller-manager")
            part("kill", "kube-apiserver")
            assert refused.wait(60), "no submit met the server that was dead"
        finally:
            refused.set()
            part("start", "kube-apiserver")
            part("start", "kube-controller-manager")
        for one in submits:
            one.result()
    for pman, job in zip(pmans, jobs, strict=True):
        assert fragile.end_of(pman, job.jid).status is Status.SUCCEEDED
    assert [place.runs() for place in places] == [1] * len(jobs)


@pytest.mark.parametrize("seen", [True, False])
def test_a_job_that_the_cluster_began_twice_is_lost(fragile: K8sKit, seen: bool) -> None:
    """A controller makes two pods where an API server died before it answered.

    :param seen: whether pman knew the first of them.
    """
    pman = fragile.pman()
    place = fragile.place()
    job = fragile.hold(place)
    pman.pman_submit(job)
    until(place.runs, bool)
    if seen:
        until(lambda: pman.pman_status(job.jid), lambda info: bool(info.started))
    part("kill", "kube-controller-manager")
    try:
        copy_of(fragile.pods(job.jid)[0])
        until(place.runs, lambda runs: runs == 2)
        place.path("release").touch()
        until(
            lambda: [pod["status"]["phase"] for pod in fragile.pods(job.jid)],
            lambda phases: phases == ["Succeeded"] * 2,
        )
    finally:
        part("start", "kube-controller-manager")
    until(lambda: fragile.found(job.jid), lambda found: "Complete" in conditions(found))
    info = pman.pman_status(job.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST), info
    assert "begun anew" in info.message


def copy_of(pod: dict[str, Any]) -> None:
    """Make another pod as the Job's controller would."""
    # The finalizer is the controller's too (since 1.23): it counts only pods that have it.
    kept = ("labels", "annotations", "ownerReferences", "namespace", "finalizers")
    metadata = {key: pod["metadata"][key] for key in kept if key in pod["metadata"]}
    metadata["name"] = pod["metadata"]["name"] + "-2"
    body = {**pod, "metadata": metadata}
    del body["status"]
    admin().ask("POST", f"/api/v1/namespaces/{metadata['namespace']}/pods", body)


def test_a_controller_that_is_down_delays_and_loses_nothing(fragile: K8sKit) -> None:
    """Without it a pod may have ended, and its Job does not show it."""
    pman = fragile.pman()
    place = fragile.place()
    job = fragile.hold(place)
    fragile.start(pman, job, place)
    part("kill", "kube-controller-manager")
    try:
        place.path("release").touch()
        info = until(lambda: pman.pman_status(job.jid), lambda info: "ending" in info.message)
        assert info.status is Status.STARTED
    finally:
        part("start", "kube-controller-manager")
    assert fragile.end_of(pman, job.jid).status is Status.SUCCEEDED


def test_a_job_of_a_lost_node_is_lost_and_not_begun_anew(fragile: K8sKit) -> None:
    """A cluster of one node takes no pods from it; the taint does what one of several does."""
    place = fragile.place()
    pman = fragile.pman()
    job = fragile.hold(place)
    fragile.start(pman, job, place)
    part("kill", "kubelet")
    try:
        with tainted():
            info = fragile.end_of(pman, job.jid)
            assert (info.status, info.reason) == (Status.FAILED, Reason.LOST), info
            assert "was deleted" in info.message
            # Its pod is taken away although its node does not answer.
            assert pman.pman_remove(job.jid)
            assert fragile.pods(job.jid) == []
    finally:
        part("start", "kubelet")
    assert place.runs() == 1


def test_a_node_that_does_not_answer_is_reported_and_its_job_goes_on(fragile: K8sKit) -> None:
    """Containers run on without their kubelet: the job may end, and the end is reported later."""
    running, ending = fragile.place(), fragile.place()
    pman = fragile.pman()
    first, second = fragile.hold(running), fragile.hold(ending)
    fragile.start(pman, first, running)
    fragile.start(pman, second, ending)
    part("kill", "kubelet")
    try:
        ending.path("release").touch()
        info = until(
            lambda: pman.pman_status(first.jid), lambda info: "does not answer" in info.message
        )
        assert info.status is Status.STARTED
        with pytest.raises(EngineUnavailableError, match="containerLogs"):
            pman.pman_logs(info, 10, 1000)
    finally:
        part("start", "kubelet")
    assert fragile.end_of(pman, second.jid).status is Status.SUCCEEDED
    running.path("release").touch()
    assert fragile.end_of(pman, first.jid).status is Status.SUCCEEDED
    assert (running.runs(), ending.runs()) == (1, 1)


@contextlib.contextmanager
def tainted() -> Iterator[None]:
    """The node loses its pods, as it would after some minutes without an answer."""
    node = admin().ask("GET", "/api/v1/nodes").body["items"][0]["metadata"]["name"]
    kubectl("taint", "nodes", node, "pman-test/lost=yes:NoExecute")
    try:
        yield
    finally:
        kubectl("taint", "nodes", node, "pman-test/lost-")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_pod_that_is_deleted_by_hand_ends_its_job(fragile: K8sKit, workers: int) -> None:
    place = fragile.place()
    pman = fragile.pman()
    job = fragile.hold(place, resources=Resources(memory_mib=64, workers=workers))
    pman.pman_submit(job)
    until(place.runs, lambda runs: runs == workers)
    until(lambda: pman.pman_status(job.jid), lambda info: bool(info.started))
    until(
        lambda: fragile.found(job.jid)["metadata"]["annotations"],
        lambda notes: "pods" in str(notes),
    )
    admin().delete_pod(fragile.pods(job.jid)[0]["metadata"]["name"])
    info = fragile.end_of(pman, job.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST), info
    # The cluster may have begun another run: it is ended, and no success is reported.
    until(lambda: fragile.pods(job.jid), lambda pods: not pods)
    assert fragile.pman().pman_status(job.jid) == info
