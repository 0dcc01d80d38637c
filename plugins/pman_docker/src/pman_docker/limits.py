"""Engines that do not enforce the limits that they take, and what they say of it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pman_core import Job
from pman_core.contract.errors import UnsupportedError
from pman_docker.engine_info import EngineInfo

#: Words of the warnings of Docker 20.10 ("Limitation discarded", "Quota discarded") and Podman
#: 4.3 ("not supported and ignored").
_DROPPED = re.compile("discarded|ignored", re.IGNORECASE)

#: Of swap the backend declares that it may be unlimited; processes are pman's own limit.
_NOT_ASKED_FOR = re.compile("swap|pids", re.IGNORECASE)


def dropped_limit(warnings: Iterable[str], job: Job) -> str | None:
    """The warning that a limit which the job asks for is not in force, if there is one."""
    if not _is_limited(job):
        return None
    for warning in warnings:
        if _DROPPED.search(warning) and not _NOT_ASKED_FOR.search(warning):
            return warning
    return None


def refuse_unlimited(job: Job, engine_info: EngineInfo) -> None:
    """Refuse a job that would run without the limits that it asks for.

    :raises UnsupportedError: the engine takes limits and does not enforce them.
    """
    if _is_limited(job) and not engine_info.enforces_limits:
        raise UnsupportedError(
            "this engine takes CPU and memory limits and does not enforce them (it is rootless, "
            "or its kernel lacks them); set IGNORE_LIMITS=yes to run jobs without"
        )


def _is_limited(job: Job) -> bool:
    limits = job.resources
    return limits.memory_mib is not None or limits.cpu_millicores is not None
