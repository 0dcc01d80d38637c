"""What no engine can run, for ``pman_validate``."""

from __future__ import annotations

from pman_core.contract.job import Job


def job_faults(job: Job) -> dict[str, str]:
    """What is wrong with a job on every engine, by the field of the request.

    A backend adds its own faults, and raises ``InvalidJobError(faults=...)`` if there are any.
    """
    faults = {}
    if not job.argv or not job.argv[0]:
        faults["entrypoint"] = "must begin with a program"
    if any(not name or "=" in name or "\0" in name for name in job.env):
        faults["env"] = "has a name that no process can have"
    return faults
