"""Cancels a job: its end is recorded, and then nothing of it runs on."""

from __future__ import annotations

import contextlib
import time

from pman_core import JobInfo
from pman_core.contract.errors import EngineUnavailableError
from pman_docker.errors import NotFoundError
from pman_swarm.client import SwarmClient
from pman_swarm.reconcile import Reconciler
from pman_swarm.status import Service, busy_nodes

#: Seconds between two looks at containers that end.
_LOOK_AGAIN_S = 0.05


def cancel(
    swarm: SwarmClient, reconciler: Reconciler, jid: str, timeout_s: float
) -> JobInfo | None:
    """End a job of this pman that has not ended, and wait; ``None`` if there is none.

    :param timeout_s: how many seconds its nodes have to end it.
    :raises EngineUnavailableError: a node has not reported in time that it has ended.
    """
    info = reconciler.end_cancelled(jid)
    with contextlib.suppress(NotFoundError):  # removed just now
        if info and _has_stopped(swarm, info, timeout_s):
            return info
    return None


def _has_stopped(swarm: SwarmClient, info: JobInfo, timeout_s: float) -> bool:
    """Wait until nothing of a job that has ended runs on; whether the job is still there.

    :raises NotFoundError: it is not.
    :raises EngineUnavailableError: it runs on when the engine's time is over.
    """
    service = swarm.service(info.native)
    deadline = time.monotonic() + timeout_s
    while service and _runs_on(swarm, service):
        if time.monotonic() > deadline:
            raise EngineUnavailableError(
                f"job {info.jid!r} is ended, but its node has not reported yet that nothing of it "
                "runs on; cancel it again"
            )
        time.sleep(_LOOK_AGAIN_S)
    return service is not None


def _runs_on(swarm: SwarmClient, service: Service) -> bool:
    """Whether something of an ended job runs, on nodes that the swarm has not lost."""
    nodes = busy_nodes(service, swarm.tasks(service["ID"]))
    return any(node is None or not swarm.down(node) for node in nodes)
