"""On a real cluster: a cancelled job ends, and is kept with its log."""

import socket
from pathlib import Path

import pytest
from k8s_cluster import PART, until
from k8s_jobs import assert_cancelled
from k8s_kit import K8sKit

from pman_core import Reason


def test_on_a_cluster_a_role_without_patch_of_pods_cancels(
    kit: K8sKit, role_of_pman_6: Path
) -> None:
    place = kit.place()
    job_ = kit.hold(place)
    kit.start(kit.pman(), job_, place)
    pman = kit.pman(KUBECONFIG=str(role_of_pman_6), ENGINE_TIMEOUT="60")
    info = pman.pman_cancel(job_.jid)
    assert_cancelled(info)
    until(lambda: kit.pods(job_.jid), lambda pods: not pods)
    assert b"gone with its pod" in pman.pman_logs(info, 10, 1000)
    assert place.runs() == 1


def test_on_a_cluster_a_job_that_pulls_is_cancelled(kit: K8sKit) -> None:
    """Its kubelet is busy with a registry that says nothing."""
    if not PART:
        pytest.skip("the nodes do not reach this machine")
    with socket.create_server(("127.0.0.1", 0)) as registry:
        pman = kit.pman(ENGINE_TIMEOUT="60")
        job_ = kit.shell("true", image=f"localhost:{registry.getsockname()[1]}/silent:1")
        pman.pman_submit(job_)
        until(lambda: pman.pman_status(job_.jid), lambda info: info.reason is Reason.PULLING)
        info = pman.pman_cancel(job_.jid)
        assert_cancelled(info)
        assert kit.pods(job_.jid) == []
        assert kit.pman().pman_status(job_.jid) == info
