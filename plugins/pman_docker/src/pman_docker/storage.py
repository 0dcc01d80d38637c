"""The storage type ``docker_local_volume``: a volume of the engine as the storebase."""

from __future__ import annotations

import posixpath

from pman_core import HostPath, Storage
from pman_core.contract.errors import EngineUnavailableError
from pman_docker.client import Engine
from pman_docker.errors import NotFoundError
from pman_docker.settings import PFCON_MOUNT, VolumeSettings


def volume_storage(engine: Engine, settings: VolumeSettings) -> Storage:
    """The storage of these settings; the engine is asked when a job needs it.

    The directories of the volume's own mount point are bound: to mount a part of a volume
    needs API 1.45.
    """
    found: list[str] = []

    def base() -> str:
        if not found:
            found.append(_mount_point(engine, settings))
        return found[0]

    def locate(directory: str) -> HostPath:
        return HostPath(posixpath.join(base(), directory), within=base())

    def check() -> None:
        base()

    source = settings.volume_name or f"the volume of the container with {settings.pfcon_selector}"
    return Storage(
        name="docker_local_volume",
        kind=HostPath,
        description=f"volume: {source}",
        locate=locate,
        check=check,
    )


def _mount_point(engine: Engine, settings: VolumeSettings) -> str:
    if settings.volume_name:
        return _of_volume(engine, settings.volume_name)
    containers = engine.labelled(settings.pfcon_selector)
    for container in containers:
        for mount in container.get("Mounts") or ():
            if mount.get("Destination") == PFCON_MOUNT and mount.get("Source"):
                return str(mount["Source"])
    seen = f"{len(containers)} with that label, none with that mount" if containers else "none"
    raise EngineUnavailableError(
        f"no storebase: no container with the label {settings.pfcon_selector} has a mount at "
        f"{PFCON_MOUNT} ({seen}); start pfcon, or set VOLUME_NAME or PFCON_SELECTOR"
    )


def _of_volume(engine: Engine, name: str) -> str:
    try:
        volume = engine.volume(name)
    except NotFoundError:
        raise EngineUnavailableError(
            f"no storebase: the engine has no volume {name!r}; create it, or set VOLUME_NAME"
        ) from None
    if volume["Driver"] != "local" or not volume.get("Mountpoint"):
        raise EngineUnavailableError(
            f"no storebase: volume {name!r} has driver {volume['Driver']!r}; it must be local"
        )
    return str(volume["Mountpoint"])
