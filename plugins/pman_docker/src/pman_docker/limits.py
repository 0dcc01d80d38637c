"""What the engine says when it drops a limit that it was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pman_core import Job

#: Words of the warnings of Docker 20.10 ("Limitation discarded", "Quota discarded") and Podman
#: 4.3 ("not supported and ignored").
_DROPPED = re.compile("discarded|ignored", re.IGNORECASE)

#: Of swap the backend declares that it may be unlimited; processes are pman's own limit.
_NOT_ASKED_FOR = re.compile("swap|pids", re.IGNORECASE)


def dropped_limit(warnings: Iterable[str], job: Job) -> str | None:
    """The warning that a limit which the job asks for is not in force, if there is one."""
    limits = job.resources
    if limits.memory_mib is None and limits.cpu_millicores is None:
        return None
    for warning in warnings:
        if _DROPPED.search(warning) and not _NOT_ASKED_FOR.search(warning):
            return warning
    return None
