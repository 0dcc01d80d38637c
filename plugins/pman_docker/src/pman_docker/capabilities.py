"""What the two backends declare: mounts, refusals, deviations."""

from __future__ import annotations

import attrs

from pman_core import Capabilities, Deviation, HostPath, NfsPath, Option
from pman_docker.settings import DockerSettings

_TWO_PIPES = "the engine reads stdout and stderr from two pipes, one after the other"
_NO_TIME_LIMIT = "the engine has no time limit for containers"
_RESTARTABLE = (
    "the engine keeps only the last end of a container, takes no note on one that exists, and "
    "cannot be kept from starting it again"
)
_LINKS_WITHIN = "the engine resolves a directory when it starts a container, and follows links"
_LINKS_OUT = (
    "{older} bind a directory when they start a container, and follow links; for others it is part "
    "of a volume, and they follow no link that leads out of that"
)
_ONE_CONTAINER = "a job is one container"

#: Events come within a quarter of a second, and are read in steps of half a second.
_FRESHNESS_S = 2.0

_NOTES = (
    "Anybody who can talk to the engine can read the environment of every job, and has the power "
    "of root on its machine: pman's access to the socket is that power.",
)

DOCKER = Capabilities(
    mounts={HostPath, NfsPath},
    default_storage="docker_local_volume",
    freshness_s=_FRESHNESS_S,
    refusals={Option.WORKERS: _ONE_CONTAINER, Option.TIME_LIMIT: _NO_TIME_LIMIT},
    deviations={
        Deviation.LATE_LINKS_OUT: _LINKS_OUT.format(
            older="Docker before 26 (API 1.45), and a rootless one,"
        ),
        Deviation.LATE_LINKS_WITHIN: _LINKS_WITHIN,
        Deviation.LOG_ORDER: _TWO_PIPES,
        Deviation.RESTARTABLE: _RESTARTABLE,
        Deviation.SWAP_NOT_LIMITED: (
            "swap is limited only where the kernel accounts for it (docker info says so)"
        ),
        Deviation.WORKDIR_MADE: (
            "Docker makes a working directory that is missing when it makes the container"
        ),
    },
    notes=_NOTES,
)

PODMAN = Capabilities(
    mounts={HostPath},
    default_storage="docker_local_volume",
    freshness_s=_FRESHNESS_S,
    refusals={
        Option.WORKERS: _ONE_CONTAINER,
        Option.TIME_LIMIT: _NO_TIME_LIMIT,
        Option.GPU_LIMIT: "Podman's API takes no request for GPUs",
    },
    deviations={
        Deviation.LATE_LINKS_OUT: _LINKS_OUT.format(older="Podman before 5.4, and a rootless one,"),
        Deviation.LATE_LINKS_WITHIN: _LINKS_WITHIN,
        Deviation.LOG_ORDER: _TWO_PIPES,
        Deviation.RESTARTABLE: _RESTARTABLE,
        Deviation.SWAP_NOT_LIMITED: (
            "swap is limited only where the kernel accounts for it (podman info says so)"
        ),
        Deviation.OOM_NOT_REPORTED: (
            "Podman before 5 does not know that a container ran out of memory; exit code 137 "
            "is reported as killed, probably out of memory"
        ),
        Deviation.LOG_TAIL: (
            "Podman before 5 puts newlines into wrong places in the end of a log; pman reads "
            "logs of up to 8 MiB whole instead"
        ),
    },
    notes=_NOTES,
)


def with_settings(declared: Capabilities, settings: DockerSettings) -> Capabilities:
    """What a backend declares with these settings; the same whatever engine is there."""
    weaker = {}
    if not settings.confine_jobs:
        weaker[Deviation.PRIVILEGES_GAINABLE] = "CONFINE_JOBS is no"
    if not settings.job_init:
        weaker[Deviation.NO_INIT] = "JOB_INIT is no"
    return attrs.evolve(declared, deviations={**declared.deviations, **weaker})
