"""Removes a Job together with all of its pods."""

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

#: Seconds after which removal no longer waits for a pod that itself waits, for its image, say: a
#: kubelet of 1.20 takes it out of the API only in its next round of ten seconds.
_PATIENCE_S = 3


def remove_wholly(cluster: Cluster, job: Object, timeout_s: float) -> None:
    """Delete a Job once its pods are gone.

    Until then it stays as one that is being deleted: pman does not show it, no pod is made for it,
    its name is not free, and a repeated removal goes on here.

    A pod that its node does not end is taken out of the API by force. If the node does not answer,
    its process may still run there.

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
        deletions = [
            (pod.name, 0 if _is_by_force(pod, waited, timeout_s) else None) for pod in pods
        ]
        if waited > timeout_s and asked.issuperset(deletions):
            raise EngineUnavailableError(
                f"pods of the job are still there: {', '.join(known)}; try again"
            )
        for deletion in deletions:
            if deletion not in asked:
                # Without the permission the cluster deletes them with their Job, if later.
                with contextlib.suppress(ForbiddenError):
                    cluster.delete_pod(*deletion)
                asked.add(deletion)
        time.sleep(_PAUSE_S)
    cluster.delete_job(name, uid)


def _left(cluster: Cluster, uid: str, known: Sequence[str]) -> list[Pod]:
    """The pods that are left. The list, which alone shows that there is none, comes last."""
    found = cluster.pods_named(known) if len(known) <= FEW_PODS else []
    return [Pod(pod) for pod in found or cluster.pods(of_jobs([uid]), fresh=True)]


def _is_by_force(pod: Pod, waited_s: float, timeout_s: float) -> bool:
    """Whether to take a pod out of the API without waiting for its node any longer."""
    if pod.has_ended or pod.is_unreachable:
        return True
    patience_s = min(_PATIENCE_S, timeout_s / 2) if pod.waits.reason else timeout_s / 2
    return waited_s > patience_s
