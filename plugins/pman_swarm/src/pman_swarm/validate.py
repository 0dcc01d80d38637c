"""Refuses jobs that a swarm cannot run, without asking it."""

from __future__ import annotations

import json

from pman_core import Job
from pman_core.contract.errors import InvalidJobError
from pman_docker.validate import validate as validate_container
from pman_swarm.payload import service_payload
from pman_swarm.settings import SwarmSettings

#: Larger jobs can keep a swarm from scheduling anything any more, for good. It places jobs in
#: batches that close once they hold 3/4 of what its managers can send each other at once (1.5
#: MiB), so a job that is larger than the last quarter, 393,216 bytes, may overfill one. The rest
#: is for what the swarm adds.
_MOST_BYTES = 350_000

#: Each worker is a task with a copy of all this, which managers keep in memory, write to their
#: log at each step of the task, and hand out whenever somebody asks how the job is.
_MOST_BYTES_OF_ALL = 20_000_000


def validate(job: Job, settings: SwarmSettings) -> None:
    """Refuse what can never run.

    :raises InvalidJobError: with what is wrong, for each field of the request where fields are
        to blame.
    """
    validate_container(job)
    if job.user is not None and job.user.uid is None and job.user.gid is not None:
        raise InvalidJobError(
            faults={
                "CONTAINER_USER": "names a group alone; a swarm would run the job as root then, "
                "whatever user the image has, so name a user as well (1000:1000)"
            }
        )
    size = len(json.dumps(service_payload("", job, settings)))
    if size > _MOST_BYTES:
        raise InvalidJobError(
            f"the job is too large for a swarm: its arguments, environment and labels take {size} "
            f"bytes, and at most {_MOST_BYTES} are allowed; put long values into files of the "
            "input directory"
        )
    workers = job.resources.workers
    if workers * size > _MOST_BYTES_OF_ALL:
        raise InvalidJobError(
            faults={
                "number_of_workers": f"{workers} workers are too many for a swarm where each is "
                f"told {size} bytes of arguments, environment and labels; at most "
                f"{_MOST_BYTES_OF_ALL // size} are"
            }
        )
