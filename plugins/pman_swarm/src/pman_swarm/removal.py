"""Removes the service of a job, and waits for its containers."""

from __future__ import annotations

import logging
import time

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.names import JID_LABEL
from pman_swarm.client import SwarmClient
from pman_swarm.status import Service

log = logging.getLogger(__name__)

#: Seconds that a removal waits for containers to end. A node that is down never reports that.
_END_WITHIN_S = 10.0

#: Seconds between two looks at containers that end.
_LOOK_AGAIN_S = 0.05


def remove(swarm: SwarmClient, service: Service, timeout_s: float) -> None:
    """Remove a service, and wait until its containers have ended, but not for ever.

    :param timeout_s: the time-out of a call to the engine, in seconds.
    :raises RefusedError: the manager refuses it.
    """
    swarm.remove(service["ID"])
    deadline = time.monotonic() + min(_END_WITHIN_S, timeout_s)
    while _has_tasks(swarm, service):
        if time.monotonic() > deadline:
            log.warning("job %s: a node has not reported that it ended", service["Spec"]["Name"])
            return
        time.sleep(_LOOK_AGAIN_S)


def _has_tasks(swarm: SwarmClient, service: Service) -> bool:
    """Whether there still are tasks of a service that is gone; its id finds none any more."""
    label = f"{JID_LABEL}={service['Spec']['Labels'][JID_LABEL]}"
    try:
        tasks = swarm.tasks_labelled(label)
    except EngineUnavailableError:
        return True  # the removal has begun, and could not be asked for again
    return any(task["ServiceID"] == service["ID"] for task in tasks)
