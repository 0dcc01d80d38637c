"""What the swarm does not know of an end, but the nodes of its tasks do."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from pman_core import JobInfo, Reason
from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.job_info import ended
from pman_docker.client import Engine
from pman_docker.errors import NotFoundError
from pman_docker.init import CODES, not_run, why_not_run
from pman_swarm.client import SwarmClient
from pman_swarm.logs import task_log
from pman_swarm.outcome import exit_code_of, was_killed
from pman_swarm.status import Service, Task, attempts, info_of

log = logging.getLogger(__name__)

_STDERR = 2


@attrs.frozen
class Nodes:
    """The nodes of a swarm, as far as they can be asked."""

    swarm: SwarmClient
    engine: Engine

    def ended_info(self, service: Service, tasks: Iterable[Task]) -> JobInfo:
        """A job that has ended, with what is known of its end.

        :raises EngineUnavailableError: the node that pman talks to does not answer.
        """
        workers = attempts(tasks)
        info = info_of(service, workers, self._out_of_memory(workers))
        exited = info.reason is Reason.EXIT_CODE and info.exit_code in CODES
        if not (exited and _has_init(service)):
            return info
        failed = next(task for task in workers if exit_code_of(task) == info.exit_code)
        why = self._why_not_run(failed, info.argv[0])
        if not why:
            return info
        return ended(info, not_run(info.argv[0], why), info.finished)

    def _out_of_memory(self, workers: Iterable[Task]) -> bool | None:
        """Whether some worker was out of memory; ``None`` if that is not known of all."""
        killed = [self._container_was(task) for task in workers if was_killed(task)]
        return True in killed or (None if None in killed or not killed else False)

    def _container_was(self, task: Task) -> bool | None:
        """Whether the container of a killed task was; only this node's can be asked."""
        if task.get("NodeID") != self.swarm.node().id:
            return None
        status: Mapping[str, Any] = task["Status"].get("ContainerStatus") or {}
        try:
            container = self.engine.inspect(status.get("ContainerID") or "none")
        except NotFoundError:
            return None
        return bool(container["State"].get("OOMKilled"))

    def _why_not_run(self, task: Task, program: str) -> str | None:
        """Why the init could not run the program, if it could not: its log says nothing else."""
        lines = program.count("\n") + 2  # one more than the init writes
        try:
            written = b"".join(task_log(self.swarm, task, lines))
        except EngineUnavailableError as error:  # the exit code is reported all the same
            log.warning("task %s: its log cannot be read: %s", task["ID"], error)
            return None
        return why_not_run([(_STDERR, written)], program)


def _has_init(service: Service) -> bool:
    return bool(service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Init"))
