"""What the backend declares."""

from __future__ import annotations

import attrs

from pman_core import Capabilities, Deviation, HostPath, NfsPath, Option
from pman_swarm.settings import SwarmSettings

_LINKS = "nodes resolve a bound directory when they start a task, and follow links"

_CAPABILITIES = Capabilities(
    mounts={HostPath, NfsPath},
    default_storage="docker_local_volume",
    refusals={Option.TIME_LIMIT: "the swarm has no time limit for services"},
    deviations={
        Deviation.LOG_ORDER: "the engine reads stdout and stderr from two pipes",
        Deviation.SWAP_NOT_LIMITED: (
            "services have no limit of swap; a job may swap as much as its memory limit"
        ),
        Deviation.OOM_NOT_REPORTED: (
            "a task does not know that it ran out of memory; pman sees it only where the job ran "
            "on the node that pman talks to, else exit code 137 is reported as killed, probably "
            "out of memory"
        ),
        Deviation.PULL_NOT_RETRIED: (
            "a node drops what the registry said, and a task that has been rejected is final: the "
            "swarm would have to run all workers anew"
        ),
        Deviation.WORKDIR_MADE: "the engine makes it before it starts the container",
        Deviation.START_NOT_REPORTED: "the swarm keeps only the time of a task's last change",
        Deviation.LATE_LINKS_OUT: _LINKS,
        Deviation.LATE_LINKS_WITHIN: _LINKS,
        Deviation.PRIVILEGES_GAINABLE: "Docker before 25 (API 1.44) ignores the option of services",
    },
    notes=(
        "Anybody who can talk to the engine can read the environment of every job, and has the "
        "power of root on its machine: pman's access to the socket is that power.",
        "A job with GPUs is ended by the swarm, and reported as lost, when its node is updated in "
        "any way, be it by a label, and when a manager restarts (seen with Docker 20.10).",
        "Whether CPU and memory limits are enforced is asked of the node that pman talks to; of "
        "the others it is assumed.",
    ),
)


def capabilities(settings: SwarmSettings) -> Capabilities:
    """What the backend declares with these settings."""
    if settings.job_init:
        return _CAPABILITIES
    weaker = {Deviation.NO_INIT: "JOB_INIT is no"}
    return attrs.evolve(_CAPABILITIES, deviations={**_CAPABILITIES.deviations, **weaker})
