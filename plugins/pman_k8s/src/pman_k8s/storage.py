"""The storage type ``kubernetes_pvc``: a persistent volume claim as the storebase."""

from __future__ import annotations

import contextlib
from pathlib import Path

from pman_core import ClaimPath, Storage
from pman_core.contract.errors import EngineUnavailableError, SettingsError
from pman_core.kit.directories import DirectoryChecker
from pman_k8s.client import Cluster
from pman_k8s.errors import ForbiddenError, NotFoundError, refusal_errors
from pman_k8s.settings import K8sSettings


def claim_storage(
    cluster: Cluster, settings: K8sSettings, directories: DirectoryChecker
) -> Storage:
    """The storage of these settings.

    :raises SettingsError: no claim is named.
    """
    claim = settings.volume_name
    if not claim:
        raise SettingsError(["STORAGE_TYPE=kubernetes_pvc needs VOLUME_NAME, the claim: set it"])

    def check() -> None:
        phase = None
        with refusal_errors(f"claim {claim!r} cannot be read"), contextlib.suppress(ForbiddenError):
            try:
                phase = cluster.claim(claim).get("status", {}).get("phase")
            except NotFoundError:
                raise EngineUnavailableError(
                    f"no storebase: namespace {settings.namespace} has no claim {claim!r}; create "
                    "it, or set VOLUME_NAME"
                ) from None
        # A claim may be Pending until its first pod.
        if phase == "Lost":
            raise EngineUnavailableError(f"claim {claim!r} has lost its volume")
        mount = settings.storebase_mount
        if mount and not directories.is_dir(Path(mount)):
            raise EngineUnavailableError(
                f"STOREBASE_MOUNT is {mount}, which is no folder here: mount the claim there, "
                "or unset it"
            )

    return Storage(
        name="kubernetes_pvc",
        kind=ClaimPath,
        description=f"claim {claim} in namespace {settings.namespace}",
        locate=lambda directory: ClaimPath(claim, directory),
        check=check,
    )
