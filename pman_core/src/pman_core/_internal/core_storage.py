"""The storage types that the core brings: ``host`` and ``nfs``."""

from __future__ import annotations

from collections.abc import Mapping

import environ as env_config

from pman_core.contract.errors import SettingsError
from pman_core.contract.hookspecs import hookimpl
from pman_core.contract.storage import Storage, host_storage, nfs_storage
from pman_core.kit.settings import absolute_path, load, text, variable


@env_config.config(prefix="", frozen=True)
class StorageSettings:
    """Where job data is, for the storage types ``host`` and ``nfs``."""

    storebase: str | None = variable(
        "STOREBASE",
        absolute_path,
        None,
        "The folder that holds all job data: on every machine that runs jobs for "
        "STORAGE_TYPE=host, in the export for nfs.",
    )
    nfs_server: str | None = variable(
        "NFS_SERVER", text, None, "The server of STORAGE_TYPE=nfs: a name or an address."
    )


class CoreStorage:
    """A plugin of the core itself."""

    @hookimpl
    def pman_resolve_storage(self, storage_type: str, environ: Mapping[str, str]) -> Storage | None:
        """Resolve ``host`` and ``nfs``."""
        settings = load(StorageSettings, environ)
        if settings.nfs_server and storage_type != "nfs":
            raise SettingsError(
                [
                    f"NFS_SERVER is set, but STORAGE_TYPE is {storage_type!r}; "
                    "unset NFS_SERVER or set STORAGE_TYPE=nfs"
                ]
            )
        if storage_type not in ("host", "nfs"):
            return None
        missing = []
        if not settings.storebase:
            missing.append("STOREBASE")
        if storage_type == "nfs" and not settings.nfs_server:
            missing.append("NFS_SERVER")
        if missing:
            raise SettingsError(
                f"STORAGE_TYPE={storage_type} needs {name}: set it" for name in missing
            )
        if storage_type == "nfs":
            return nfs_storage(settings.nfs_server or "", settings.storebase or "")
        return host_storage(settings.storebase or "")
