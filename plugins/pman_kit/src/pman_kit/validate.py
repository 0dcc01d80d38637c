"""Which jobs cannot run without a container."""

from __future__ import annotations

from pman_core import Job
from pman_core.contract.errors import InvalidJobError
from pman_kit.layout import MARK

#: The only image; it stands for whatever is installed on this machine.
IMAGE = "local"


def validate(job: Job) -> None:
    """Refuse what can never run.

    :raises InvalidJobError: with what is wrong, for each field of the request.
    """
    faults = {}
    if job.image != IMAGE:
        faults["image"] = (
            f"must be {IMAGE!r}: this pman runs jobs as local processes, without images"
        )
    if not job.argv:
        faults["entrypoint"] = "must name a program: there is no image that could do so"
    wrong = [name for name in job.env if not name or "=" in name or "\0" in name]
    if wrong:
        faults["env"] = f"has names that no process can have: {', '.join(map(repr, wrong))}"
    elif MARK in job.env:
        faults["env"] = f"must not set {MARK}, which is pman's own"
    if faults:
        raise InvalidJobError(faults=faults)
