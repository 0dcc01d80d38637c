"""Storebases as volumes of the engine, of which it mounts parts.

An engine that binds a directory follows whatever link has taken its place since the submit. Of a
volume it mounts no part that leads out of it, and looks at each start. So a directory in a named
volume is mounted as part of that, and one in any other storebase as part of a volume that pman
makes: it holds nothing itself, and leads to the storebase.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

from pman_core import HostPath, Job
from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.names import INSTANCE_LABEL
from pman_docker.client import Engine
from pman_docker.container_fields import volume_name
from pman_docker.errors import NotFoundError, RefusedError

#: Where the driver ``local`` keeps what is in a volume.
_FOLDER = re.compile(r".*/volumes/([^/]+)/_data")


class StorebaseVolumes:
    """The volumes of one pman instance."""

    def __init__(self, engine: Engine, instance: str) -> None:
        self._engine = engine
        self._instance = instance

    def of(self, job: Job) -> dict[str, str]:
        """The name of the volume for each storebase that no link may lead a job out of.

        One call for each; what is missing is made.

        :raises EngineUnavailableError: there can be no such volume.
        """
        sources = (mount.source for mount in job.mounts)
        found = {source.within for source in sources if isinstance(source, HostPath)}
        return {storebase: self._volume(storebase) for storebase in sorted(found - {""})}

    def _volume(self, storebase: str) -> str:
        named = _FOLDER.fullmatch(storebase)
        if named and self._leads_to(named[1], storebase):
            return named[1]
        return self._own(storebase)

    def _leads_to(self, volume: str, folder: str) -> bool:
        with contextlib.suppress(NotFoundError):
            return bool(self._engine.volume(volume).get("Mountpoint") == folder)
        return False

    def _own(self, storebase: str) -> str:
        """The volume that leads to a folder; where it is there already, the engine gives it back.

        With ``bind`` what is mounted in the storebase would be missing.
        """
        options = {"type": "none", "o": "rbind", "device": storebase}
        name = volume_name(self._instance, options)
        labels = {INSTANCE_LABEL: self._instance}
        body = {"Name": name, "Driver": "local", "DriverOpts": options, "Labels": labels}
        try:
            made = self._made(body)
        except RefusedError as refused:
            raise EngineUnavailableError(
                f"the engine refuses the volume that leads to {storebase}: {refused}"
            ) from refused
        if made.get("Options") != options:
            raise EngineUnavailableError(
                f"volume {name} was not made by pman and does not lead to {storebase}; remove it"
            )
        return name

    def _made(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A volume; once more, since Podman refuses one that another call makes just now."""
        with contextlib.suppress(RefusedError):
            return self._engine.post("/volumes/create", body)
        return self._engine.post("/volumes/create", body)
