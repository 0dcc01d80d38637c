"""Removes a Job, and sees to it that none of its pods is left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from pman_core.errors import EngineUnavailableError
from pman_k8s.cluster import Cluster
from pman_k8s.errors import Conflict, NotThere
from pman_k8s.labels import of_jobs
from pman_k8s.pods import Pod

_PAUSE_S = 0.1

#: Seconds that a node has to end the processes of a pod, which get one second of grace. The API
#: would tell of their end later: a kubelet of 1.20 takes pods out of it every ten seconds.
_NODE_PATIENCE_S = 3


def remove_wholly(cluster: Cluster, job: Mapping[str, Any], timeout_s: float) -> None:
    """Delete a Job, and wait for the end of its pods.

    A pod that its node does not end is taken out of the API by force: where the node does not
    answer, nobody can know whether the process still runs there.

    :raises EngineUnavailableError: there are still pods.
    """
    meta = job["metadata"]
    with contextlib.suppress(NotThere, Conflict):  # somebody else removes it too
        cluster.delete_job(meta["name"], meta["uid"])
    begun = time.monotonic()
    asked: set[tuple[str, int | None]] = set()
    while pods := cluster.pods(of_jobs([meta["uid"]]), fresh=True):
        waited = time.monotonic() - begun
        if waited > timeout_s:
            names = ", ".join(pod["metadata"]["name"] for pod in pods)
            raise EngineUnavailableError(f"pods of the job are still there: {names}; try again")
        for pod in map(Pod, pods):
            by_force = pod.has_ended or waited > _NODE_PATIENCE_S
            order = (pod.name, 0 if by_force else None)
            if order not in asked:
                cluster.delete_pod(*order)
                asked.add(order)
        time.sleep(_PAUSE_S)
