"""The end of the logs of a job's workers."""

from __future__ import annotations

from collections.abc import Iterator

from pman_core import JobInfo
from pman_core.errors import EngineUnavailableError
from pman_core.logs import TailBuffer, worker_header
from pman_docker.errors import NotThere, Refused
from pman_docker.streams import PIECE
from pman_swarm.state import Task, attempts
from pman_swarm.swarm import Swarm


def log_end(swarm: Swarm, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
    """The last lines and at most so many bytes; several workers have a share of both each."""
    workers = attempts(swarm.tasks(info.native or ""))
    if len(workers) == 1:
        return _end(swarm, workers[0], tail_lines, max_bytes)
    whole = TailBuffer(tail_lines, max_bytes)
    for index, task in enumerate(workers, 1):
        whole.feed(worker_header(index, len(workers)))
        share = max(1, tail_lines // len(workers) - 1), max(1, max_bytes // len(workers))
        whole.feed(_end(swarm, task, *share))
    return whole.value()


def _end(swarm: Swarm, task: Task, tail_lines: int, max_bytes: int) -> bytes:
    buffer = TailBuffer(tail_lines, max_bytes)
    for piece in _pieces(swarm, task, tail_lines + max_bytes // PIECE + 1):
        buffer.feed(piece)
    return buffer.value()


def _pieces(swarm: Swarm, task: Task, pieces: int) -> Iterator[bytes]:
    if not (task["Status"].get("ContainerStatus") or {}).get("ContainerID"):
        return  # it has never had a container, and the engine would wait for one
    try:
        yield from swarm.log(task["ID"], pieces)
    except NotThere:
        return
    except Refused as refused:
        raise EngineUnavailableError(f"the swarm does not give the log: {refused}") from refused
