"""Which jobs cannot run without a container."""

from __future__ import annotations

from pman_core import Job
from pman_core.contract.errors import InvalidJobError
from pman_core.kit.job_faults import job_faults
from pman_kit.layout import MARK

#: The only image; it stands for whatever is installed on this machine.
IMAGE = "local"


def validate(job: Job) -> None:
    """Refuse what can never run.

    :raises InvalidJobError: with what is wrong, for each field of the request.
    """
    faults = job_faults(job)
    if job.image != IMAGE:
        faults["image"] = (
            f"must be {IMAGE!r}: this pman runs jobs as local processes, without images"
        )
    if MARK in job.env:
        faults.setdefault("env", f"must not set {MARK}, which is pman's own")
    if faults:
        raise InvalidJobError(faults=faults)
