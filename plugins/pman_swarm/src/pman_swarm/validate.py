"""Which jobs a swarm cannot run, as far as that can be told without asking it."""

from __future__ import annotations

import json

from pman_core import Job
from pman_core.errors import InvalidJobError
from pman_docker.validate import validate as validate_container
from pman_swarm.payload import service_payload
from pman_swarm.settings import SwarmSettings

#: A few services of one megabyte keep a swarm from scheduling anything any more, for good: its
#: managers cannot tell each other so much at once. Many of 700 kB did no harm (seen with 20.10).
_MOST_BYTES = 500_000


def validate(job: Job, settings: SwarmSettings) -> None:
    """Refuse what can never run.

    :raises InvalidJobError: with what is wrong, for each field of the request where fields are
        to blame.
    """
    validate_container(job)
    size = len(json.dumps(service_payload("", job, settings)))
    if size > _MOST_BYTES:
        raise InvalidJobError(
            f"the job is too large for a swarm: its arguments, environment and labels take {size} "
            f"bytes, and at most {_MOST_BYTES} are allowed; put long values into files of the "
            "input directory"
        )
