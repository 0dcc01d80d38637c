"""Which jobs these engines cannot run, as far as that can be told without asking them."""

from __future__ import annotations

from pman_core import Job
from pman_core.contract.errors import InvalidJobError

#: The smallest memory limit that Docker takes ("Minimum memory limit allowed is 6MB").
_LEAST_MEMORY_MIB = 6


def validate(job: Job) -> None:
    """Refuse what can never run.

    :raises InvalidJobError: with what is wrong, for each field of the request.
    """
    faults = {}
    if not job.argv or not job.argv[0]:
        faults["entrypoint"] = "must begin with a program"
    memory = job.resources.memory_mib
    if memory is not None and memory < _LEAST_MEMORY_MIB:
        faults["memory_limit"] = f"must be at least {_LEAST_MEMORY_MIB} (MiB)"
    if any(not key or "=" in key for key in job.env):
        faults["env"] = "has a name that no process can have"
    if faults:
        raise InvalidJobError(faults=faults)
