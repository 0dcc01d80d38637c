"""Removes a Job, and sees to it that none of its pods is left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pman_core.contract.errors import EngineUnavailableError
from pman_k8s.client import FEW_PODS, Cluster
from pman_k8s.errors import ForbiddenError
from pman_k8s.labels import of_jobs, recorded_pods
from pman_k8s.status.pods import Pod

Object = Mapping[str, Any]

_PAUSE_S = 0.1

#: Seconds after which a pod is not waited for that waits itself, for its image, say: a kubelet of
#: 1.20 takes it out of the API only in its next round of ten seconds.
_PATIENCE_S = 3


def remove_wholly(cluster: Cluster, job: Object, timeout_s: float) -> None:
    """Delete a Job once its pods are gone.

    Until then it stays as one that is being deleted: nobody sees it, no pod is made for it, its
    name is not free, and whoever removes it again goes on here.

    A pod that its node does not end is taken out of the API by force: where the node does not
    answer, nobody can know whether the process still runs there.

    :raises EngineUnavailableError: there are still pods.
    """
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    cluster.delete_job(name, uid, after_pods=True)
    begun = time.monotonic()
    asked: set[tuple[str, int | None]] = set()
    known: Sequence[str] = recorded_pods(job)
    while pods := _left(cluster, uid, known):
        waited = time.monotonic() - begun
        known = [pod.name for pod in pods]
        orders = [(pod.name, 0 if _is_by_force(pod, waited, timeout_s) else None) for pod in pods]
        if waited > timeout_s and asked.issuperset(orders):
            raise EngineUnavailableError(
                f"pods of the job are still there: {', '.join(known)}; try again"
            )
        for order in orders:
            if order not in asked:
                with contextlib.suppress(ForbiddenError):  # they go with their Job, if later
                    cluster.delete_pod(*order)
                asked.add(order)
        time.sleep(_PAUSE_S)
    cluster.delete_job(name, uid)


def _left(cluster: Cluster, uid: str, known: Sequence[str]) -> list[Pod]:
    """The pods that are left. The list, which alone tells that there is none, comes last."""
    found = cluster.pods_named(known) if len(known) <= FEW_PODS else []
    return [Pod(pod) for pod in found or cluster.pods(of_jobs([uid]), fresh=True)]


def _is_by_force(pod: Pod, waited_s: float, timeout_s: float) -> bool:
    """Whether to take a pod out of the API without waiting for its node any longer."""
    if pod.has_ended or pod.is_unreachable:
        return True
    patience_s = min(_PATIENCE_S, timeout_s / 2) if pod.waits.reason else timeout_s / 2
    return waited_s > patience_s
