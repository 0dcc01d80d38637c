"""Values of options of Podman, some of which Apptainer takes as well."""

from __future__ import annotations

import os
import platform
import re

from .outcome import CannotStartError

_LINE = re.compile(r"[\x20-\x7e]{0,4096}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")

#: Beginnings of names that change what Podman itself does.
_PODMANS = re.compile(
    r"_?(BUILDAH|CONTAINER|DBUS_|DOCKER_|GO|HOME|LANG|LC_|LD_|LISTEN_|LOGNAME|NETAVARK|NOTIFY_"
    r"|PATH|PODMAN|REGISTRY_|SHELL|SSL_|STORAGE_|TMPDIR|TZ|USER|XDG_|.*_proxy$)",
    re.IGNORECASE,
)


def split_environment(
    environment: dict[str, str],
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Variables for an env-file, for Podman's own environment, and for its command line.

    A file of mode 0600 and an environment are for this user alone, a command line can be read by
    everybody on the node. Lines of a file hold no newline; a name that means something to Podman
    must not be in its own environment; and the command line loses a carriage return.
    """
    simple, inherited, shown = {}, {}, {}
    for name, value in environment.items():
        if _NAME.fullmatch(name) and _LINE.fullmatch(value):
            simple[name] = value
        elif _NAME.fullmatch(name) and not _PODMANS.match(name):
            inherited[name] = value
        elif "\r" in value:
            words = f"Podman cannot give a variable {name!r} that holds a carriage return"
            raise CannotStartError(words)
        else:
            shown[name] = value
    return simple, inherited, shown


def mount_words(source: str, target: str, read_only: bool) -> str:
    """A value of ``--mount``, which is one line of CSV; a path may hold what it likes."""
    fields = ["type=bind", "source=" + source, "destination=" + target]
    fields += ["ro=true"] if read_only else ["ro=false"]
    return ",".join(_quoted(field) if set(field) & set('",\r\n') else field for field in fields)


def _quoted(field: str) -> str:
    doubled = field.replace('"', '""')
    return f'"{doubled}"'


def devices(gpus: int) -> list[str]:
    """The GPUs that SLURM gave to this job of one worker, by their names in the CDI.

    SLURM_JOB_GPUS has their numbers on the node. CUDA_VISIBLE_DEVICES may count from 0 in the
    cgroup of the job, and the container is outside of that.
    """
    numbers = os.environ.get("SLURM_JOB_GPUS", "") if gpus else ""
    given = [one for one in numbers.split(",") if one]
    if len(given) != gpus:
        raise CannotStartError(
            f"the job asks for {gpus} GPUs, and on node {platform.node()} SLURM gave it those of "
            f"SLURM_JOB_GPUS={numbers!r}",
        )
    return [f"nvidia.com/gpu={one}" for one in given]
