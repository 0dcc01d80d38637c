"""The end of the logs of a job's workers."""

from __future__ import annotations

from collections.abc import Iterator

from pman_core import JobInfo
from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.logs import tail_of_workers
from pman_docker.errors import NotFoundError, RefusedError
from pman_docker.framing import PIECE
from pman_swarm.client import SwarmClient
from pman_swarm.status import Task, attempts, is_given_up, is_over, is_waiting


def log_end(swarm: SwarmClient, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
    """The last lines of all workers, and at most so many bytes.

    :raises NotFoundError: there is no such job any more.
    """
    workers = attempts(swarm.tasks(info.native))

    def read(index: int, lines: int, size: int) -> Iterator[bytes]:
        return task_log(swarm, workers[index], lines + size // PIECE + 1)

    return tail_of_workers(read, len(workers), tail_lines, max_bytes)


def task_log(swarm: SwarmClient, task: Task, pieces: int) -> Iterator[bytes]:
    """The log of one worker, piece by piece; ``pieces`` that the engine takes for lines.

    :raises EngineUnavailableError: its node does not give it.
    """
    # A node starts a container, and reports it to the swarm a moment later. A log with lines would
    # contradict the status, which comes from the swarm.
    if is_waiting(task):
        return
    if not (task["Status"].get("ContainerStatus") or {}).get("ContainerID"):
        return  # it has never had a container, and the engine would wait for one
    if is_over(task) or is_given_up(task):
        node = swarm.down(task["NodeID"])
        if node:  # the engine would wait for it
            yield f"(no log: it is on the node {node}, which is down)\n".encode()
            return
    try:
        yield from swarm.log(task["ID"], pieces)
    except NotFoundError:
        return
    except RefusedError as refused:
        raise EngineUnavailableError(f"the swarm does not give the log: {refused}") from refused
