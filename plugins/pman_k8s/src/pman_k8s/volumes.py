"""The directories of a job as volumes of a pod: pure translation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pman_core import ClaimPath, HostPath, Mount, NfsPath
from pman_core.contract.errors import UnsupportedError

Payload = dict[str, Any]

_SHM = "shm"


def volumes_of(mounts: Iterable[Mount], shm_mib: int | None) -> tuple[list[Payload], list[Payload]]:
    """``volumes`` of the pod, and ``volumeMounts`` of the container.

    A claim is one volume however many of its directories are mounted.
    """
    volumes: dict[str, Payload] = {}
    places: list[Payload] = []
    for index, mount in enumerate(mounts):
        volume, sub_path = _source(mount)
        known = [name for name, other in volumes.items() if other == volume]
        name = known[0] if known else f"data-{index}"
        volumes[name] = volume
        place = {"name": name, "mountPath": mount.target, "readOnly": mount.read_only}
        places.append({**place, "subPath": sub_path} if sub_path else place)
    if shm_mib is not None:
        volumes[_SHM] = {"emptyDir": {"medium": "Memory", "sizeLimit": f"{shm_mib}Mi"}}
        places.append({"name": _SHM, "mountPath": "/dev/shm", "readOnly": False})  # noqa: S108
    return [{"name": name, **volume} for name, volume in volumes.items()], places


def _source(mount: Mount) -> tuple[Payload, str]:
    """A volume, and the directory in it."""
    match mount.source:
        case ClaimPath(claim, sub_path):
            return {"persistentVolumeClaim": {"claimName": claim}}, sub_path
        case HostPath(path):
            # With type Directory the kubelet reports a missing one; by default it would make it.
            return {"hostPath": {"path": path, "type": "Directory"}}, ""
        case NfsPath(server, path):
            nfs = {"server": server, "path": path, "readOnly": mount.read_only}
            return {"nfs": nfs}, ""
        case other:
            raise UnsupportedError(f"Kubernetes cannot mount a {type(other).__name__}")
