"""The end of the logs of a job's workers."""

from __future__ import annotations

from collections.abc import Iterator

from pman_core import JobInfo
from pman_core.errors import EngineUnavailableError
from pman_core.logs import TailBuffer, tail, worker_header
from pman_docker.errors import NotThere, Refused
from pman_docker.streams import PIECE
from pman_swarm.state import Task, attempts, is_given_up, is_over
from pman_swarm.swarm import Swarm


def log_end(swarm: Swarm, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
    """The last lines and at most so many bytes; several workers have a share of both each.

    :raises NotThere: there is no such job any more.
    """
    workers = attempts(swarm.tasks(info.native))
    total = len(workers)
    if total == 1:
        return _end(swarm, workers[0], tail_lines, max_bytes)
    whole = TailBuffer(tail_lines, max_bytes)
    for index, task in enumerate(workers, 1):
        header = worker_header(index, total)
        lines, size = tail_lines // total - 1, max_bytes // total - len(header) - 1
        log = _end(swarm, task, max(1, lines), max(1, size))
        broken = bool(log) and not log.endswith(b"\n") and index < total
        whole.feed(header + log + (b"\n" if broken else b""))
    return whole.value()


def _end(swarm: Swarm, task: Task, tail_lines: int, max_bytes: int) -> bytes:
    pieces = _pieces(swarm, task, tail_lines + max_bytes // PIECE + 1)
    return tail(pieces, tail_lines, max_bytes)


def _pieces(swarm: Swarm, task: Task, pieces: int) -> Iterator[bytes]:
    if not (task["Status"].get("ContainerStatus") or {}).get("ContainerID"):
        return  # it has never had a container, and the engine would wait for one
    if is_over(task) or is_given_up(task):
        node = swarm.down(task["NodeID"])
        if node:  # the engine would wait for it
            yield f"(no log: it is on the node {node}, which is down)\n".encode()
            return
    try:
        yield from swarm.log(task["ID"], pieces)
    except NotThere:
        return
    except Refused as refused:
        raise EngineUnavailableError(f"the swarm does not give the log: {refused}") from refused
