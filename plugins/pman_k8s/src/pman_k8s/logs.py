"""The end of a job's log."""

from __future__ import annotations

from collections.abc import Iterator

from pman_core import JobInfo, Reason, Status
from pman_core.kit.logs import tail_of_workers
from pman_k8s.client import Cluster
from pman_k8s.errors import NotFoundError, RefusedError
from pman_k8s.labels import of_jobs, recorded_pods
from pman_k8s.status.job import workers_of

#: A container runtime splits a long line into pieces of this size; some count each for a line.
_PIECE = 16384


#: Reasons of jobs that never had a process. Of a lost job the start may just be unknown.
_NEVER_STARTED = (
    Reason.CANCELLED,
    Reason.CANNOT_START,
    Reason.IMAGE_NOT_FOUND,
    Reason.START_DEADLINE,
)


def log_end(cluster: Cluster, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
    """The end of a job's log.

    The API's own ``limitBytes`` does not help: it keeps the beginning.

    :param tail_lines: how many lines to return at most.
    :param max_bytes: how many bytes to return at most.

    :raises NotFoundError: the job has been removed.
    """
    if info.status is Status.NOT_STARTED:
        return _line(f"waiting: {info.message}")
    if info.started is None and info.reason in _NEVER_STARTED:
        return _line(f"it did not start: {info.message}")
    name, _, pod = info.native.partition("/")
    pods = (pod,) if pod else _pods(cluster, name)

    def read(index: int, lines: int, size: int) -> Iterator[bytes]:
        return _log(cluster, name, pods[index], lines + size // _PIECE + 1)

    return tail_of_workers(read, len(pods), tail_lines, max_bytes)


def _pods(cluster: Cluster, name: str) -> tuple[str, ...]:
    """The name of one pod for each worker; empty names, for workers without a pod, come last."""
    job = cluster.job(name).body
    pods = recorded_pods(job) or tuple(
        found["metadata"]["name"]
        for found in cluster.pods(of_jobs([job["metadata"]["uid"]]), fresh=False)
    )
    return pods + ("",) * (workers_of(job) - len(pods))


def _log(cluster: Cluster, name: str, pod: str, pieces: int) -> Iterator[bytes]:
    if not pod:
        yield _line("no log: there is no pod")
        return
    try:
        yield from cluster.log(pod, pieces)
    except NotFoundError:
        cluster.job(name)
        yield _line(f"the log is gone with its pod {pod}")
    except RefusedError as refused:
        yield _line(f"no log: {refused}")


def _line(words: str) -> bytes:
    return f"({words})\n".encode()
