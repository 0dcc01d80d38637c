"""The storage type ``docker_local_volume``: a volume of the engine as the storebase."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

import environ as env_config

from pman_core import HostPath, Storage
from pman_core.errors import EngineUnavailableError
from pman_core.settings import load, text, variable
from pman_docker.engine import Engine
from pman_docker.errors import NotThere

#: Where pfcon sees the volume, in its own container.
_PFCON_MOUNT = "/var/local/storeBase"


@env_config.config(prefix="", frozen=True)
class VolumeSettings:
    """Which volume holds the job data."""

    volume_name: str | None = variable(
        "VOLUME_NAME", text, None, "The volume that holds all job data; its driver must be local."
    )
    pfcon_selector: str = variable(
        "PFCON_SELECTOR",
        text,
        "org.chrisproject.role=pfcon",
        "Without VOLUME_NAME: a label of pfcon's container, whose mount at "
        f"{_PFCON_MOUNT} is taken.",
    )


def volume_storage(engine: Engine, environ: Mapping[str, str]) -> Storage:
    """The storage of these variables; the engine is asked when a job needs it.

    The directories of the volume's own mount point are bound: to mount a part of a volume
    needs API 1.45.
    """
    settings = load(VolumeSettings, environ)
    found: list[str] = []

    def base() -> str:
        if not found:
            found.append(_mount_point(engine, settings))
        return found[0]

    def check() -> None:
        base()

    source = settings.volume_name or f"the volume of the container with {settings.pfcon_selector}"
    return Storage(
        name="docker_local_volume",
        kind=HostPath,
        description=f"volume: {source}",
        locate=lambda directory: HostPath(posixpath.join(base(), directory)),
        check=check,
    )


def _mount_point(engine: Engine, settings: VolumeSettings) -> str:
    if settings.volume_name:
        return _of_volume(engine, settings.volume_name)
    containers = engine.labelled(settings.pfcon_selector)
    for container in containers:
        for mount in container.get("Mounts") or ():
            if mount.get("Destination") == _PFCON_MOUNT and mount.get("Source"):
                return str(mount["Source"])
    seen = f"{len(containers)} with that label, none with that mount" if containers else "none"
    raise EngineUnavailableError(
        f"no storebase: no container with the label {settings.pfcon_selector} has a mount at "
        f"{_PFCON_MOUNT} ({seen}); start pfcon, or set VOLUME_NAME or PFCON_SELECTOR"
    )


def _of_volume(engine: Engine, name: str) -> str:
    try:
        volume = engine.volume(name)
    except NotThere:
        raise EngineUnavailableError(
            f"no storebase: the engine has no volume {name!r}; create it, or set VOLUME_NAME"
        ) from None
    if volume["Driver"] != "local" or not volume.get("Mountpoint"):
        raise EngineUnavailableError(
            f"no storebase: volume {name!r} has driver {volume['Driver']!r}; it must be local"
        )
    return str(volume["Mountpoint"])
