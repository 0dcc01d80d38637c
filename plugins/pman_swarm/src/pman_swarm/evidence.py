"""Asks the nodes of a job's tasks what the swarm does not know of its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pman_docker.engine import Engine
from pman_docker.errors import NotThere
from pman_swarm.ending import Evidence, was_killed
from pman_swarm.swarm import Swarm

Task = Mapping[str, Any]


def evidence_of(swarm: Swarm, engine: Engine, workers: Sequence[Task]) -> Evidence:
    """What the nodes know of the end of these tasks, which are over.

    :raises EngineUnavailableError: the node that pman talks to does not answer.
    """
    killed = [_was_out_of_memory(swarm, engine, task) for task in workers if was_killed(task)]
    known = True in killed or (None if None in killed or not killed else False)
    return Evidence(known)


def _was_out_of_memory(swarm: Swarm, engine: Engine, task: Task) -> bool | None:
    """Whether the container of a killed task knows; only this node's can be asked."""
    if task.get("NodeID") != swarm.node().id:
        return None
    status = task["Status"].get("ContainerStatus") or {}
    try:
        container = engine.inspect(status.get("ContainerID") or "none")
    except NotThere:
        return None
    return bool(container["State"].get("OOMKilled"))
