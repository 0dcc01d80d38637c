"""A job in the words of the engines: pure translation.

Docker: ``POST /containers/create``, Engine API 1.41. Podman: ``POST
/libpod/containers/create``, API 4.0; its Docker-compatible route creates missing bind sources
as root, drops GPU requests, and takes commas in a path for options (seen with 4.3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pman_core import HostPath, Job, Mount, VolumePath
from pman_core.contract.errors import UnsupportedError
from pman_docker.container_fields import confinement, docker_mount, user_words
from pman_docker.settings import DockerSettings

_MIB = 2**20
_PERIOD_US = 100_000

Payload = dict[str, Any]

#: Of an engine that mounts no parts of volumes.
NO_VOLUMES: Mapping[str, str] = MappingProxyType({})


def docker_payload(
    job: Job,
    settings: DockerSettings,
    labels: Mapping[str, str],
    image_user: str = "",
    volumes: Mapping[str, str] = NO_VOLUMES,
) -> Payload:
    """The body of Docker's create request. argv takes the place of the image's ENTRYPOINT.

    :param image_user: see ``image_user.py``.
    :param volumes: see ``storebase_volumes.py``.
    """
    limits = job.resources
    drop, add = confinement(job, settings)
    host: Payload = {
        "Mounts": [_docker_mount(mount, volumes) for mount in job.mounts],
        "Init": settings.job_init,
        "PidsLimit": _process_limit(settings),
        "CapDrop": drop,
        "CapAdd": add,
        "SecurityOpt": ["no-new-privileges"] if settings.confine_jobs else [],
        "RestartPolicy": {"Name": "no"},
        # json-file, the usual default, spoils bytes that are no UTF-8 (seen with 20.10).
        "LogConfig": {"Type": "local"},
    }
    if limits.memory_mib is not None:
        # MemorySwap is memory and swap together: equal to Memory, it allows no swap.
        host |= {"Memory": limits.memory_mib * _MIB, "MemorySwap": limits.memory_mib * _MIB}
    if limits.cpu_millicores is not None:
        host["NanoCpus"] = limits.cpu_millicores * 1_000_000
    if limits.gpus:
        host["DeviceRequests"] = [{"Count": limits.gpus, "Capabilities": [["gpu"]]}]
    if job.shm_mib is not None:
        host["ShmSize"] = job.shm_mib * _MIB
    body: Payload = {
        "Image": job.image,
        "Entrypoint": list(job.argv[:1]),
        "Cmd": list(job.argv[1:]),
        "Env": [f"{key}={value}" for key, value in job.env.items()],
        "Labels": dict(labels),
        "User": user_words(job, image_user),
        "Tty": False,
        "HostConfig": host,
    }
    if job.workdir is not None:
        body["WorkingDir"] = job.workdir
    return body


def podman_payload(
    job: Job,
    settings: DockerSettings,
    labels: Mapping[str, str],
    image_user: str = "",
    volumes: Mapping[str, str] = NO_VOLUMES,
) -> Payload:
    """The body of Podman's own create request.

    :param image_user: see ``image_user.py``.
    :param volumes: see ``storebase_volumes.py``.
    :raises UnsupportedError: the job wants what Podman cannot do.
    """
    limits = job.resources
    if limits.gpus:
        raise UnsupportedError(
            faults={"gpu_limit": "is not supported by Podman, whose API takes no request for GPUs"}
        )
    drop, add = confinement(job, settings)
    resources: Payload = {"pids": {"limit": _process_limit(settings)}}
    if limits.memory_mib is not None:
        resources["memory"] = {"limit": limits.memory_mib * _MIB, "swap": limits.memory_mib * _MIB}
    if limits.cpu_millicores is not None:
        quota = max(1000, limits.cpu_millicores * _PERIOD_US // 1000)
        resources["cpu"] = {"quota": quota, "period": _PERIOD_US}
    body: Payload = {
        "image": job.image,
        "entrypoint": list(job.argv[:1]),
        "command": list(job.argv[1:]),
        "env": dict(job.env),
        "labels": dict(labels),
        "user": user_words(job, image_user),
        "terminal": False,
        "mounts": [_podman_mount(mount) for mount in job.mounts if not _part(mount, volumes)],
        "volumes": [
            _podman_part(mount, part) for mount in job.mounts if (part := _part(mount, volumes))
        ],
        "resource_limits": resources,
        "cap_drop": drop,
        "cap_add": add,
        "no_new_privileges": settings.confine_jobs,
        "restart_policy": "no",
        "init": settings.job_init,
        # A removal kills at once; by default it waits ten seconds for the job to end itself.
        "stop_timeout": 0,
    }
    if job.shm_mib is not None:
        body["shm_size"] = job.shm_mib * _MIB
    if job.workdir is not None:
        body["work_dir"] = job.workdir
    return body


def docker_placeholder(image: str, labels: Mapping[str, str]) -> Payload:
    """The body of Docker's create request for a placeholder."""
    return {"Image": image, "Cmd": ["note"], "Labels": dict(labels)}


def podman_placeholder(image: str, labels: Mapping[str, str]) -> Payload:
    """The body of Podman's own create request for a placeholder."""
    return {"image": image, "command": ["note"], "labels": dict(labels)}


def _part(mount: Mount, volumes: Mapping[str, str]) -> VolumePath | None:
    """The part of a volume that a mount is; ``None`` if the directory itself is bound."""
    source = mount.source
    if isinstance(source, HostPath) and source.within in volumes:
        return VolumePath(volumes[source.within], source.sub_path)
    return None


def _process_limit(settings: DockerSettings) -> int:
    """The init does not count among the processes that a job may have."""
    return settings.pids_limit + settings.job_init


def _docker_mount(mount: Mount, volumes: Mapping[str, str]) -> Payload:
    """API 1.45, where a directory is part of a volume."""
    part = _part(mount, volumes)
    if part is None:
        return docker_mount(mount)
    return {
        "Target": mount.target,
        "Type": "volume",
        "Source": part.volume,
        "ReadOnly": mount.read_only,
        # Without NoCopy, an empty directory gets what the image has at this path.
        "VolumeOptions": {"Subpath": part.sub_path, "NoCopy": True},
    }


def _podman_part(mount: Mount, part: VolumePath) -> Payload:
    """API 5.4."""
    return {
        "Dest": mount.target,
        "Name": part.volume,
        "SubPath": part.sub_path,
        "Options": ["nocopy", "ro" if mount.read_only else "rw"],
    }


def _podman_mount(mount: Mount) -> Payload:
    access = "ro" if mount.read_only else "rw"
    match mount.source:
        case HostPath(path):
            options = ["rbind", "rprivate", access]
            return {"destination": mount.target, "source": path, "type": "bind", "options": options}
        case other:
            raise UnsupportedError(
                f"Podman cannot mount a {type(other).__name__}: set STORAGE_TYPE=host, or "
                "docker_local_volume"
            )
