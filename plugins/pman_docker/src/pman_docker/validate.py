"""Refuses jobs that these engines cannot run, without asking them."""

from __future__ import annotations

from pman_core import Job
from pman_core.contract.errors import InvalidJobError
from pman_core.kit.job_faults import job_faults

#: The smallest memory limit that Docker takes ("Minimum memory limit allowed is 6MB").
_LEAST_MEMORY_MIB = 6


def validate(job: Job) -> None:
    """Refuse what can never run.

    :raises InvalidJobError: with what is wrong, for each field of the request.
    """
    faults = job_faults(job)
    memory = job.resources.memory_mib
    if memory is not None and memory < _LEAST_MEMORY_MIB:
        faults["memory_limit"] = f"must be at least {_LEAST_MEMORY_MIB} (MiB)"
    if faults:
        raise InvalidJobError(faults=faults)
