"""What this backend declares: mounts, deviations, and notes for the operator."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from pman_core import Capabilities, ClaimPath, Deviation, HostPath, NfsPath
from pman_core.contract.errors import SettingsError
from pman_core.kit.core_settings import CoreSettings
from pman_core.kit.settings import load
from pman_k8s.platform import Platform
from pman_k8s.pod_security import required_level
from pman_k8s.settings import K8sSettings

_SECRETS = (
    "Anybody who may read Jobs or pods in the namespace can read the environment of every job, "
    "which may hold tokens."
)
_TIME = (
    "A time limit counts from when a node takes a job, so pulling its image is part of it; "
    "waiting for room is not."
)
_MADE = (
    "kubelets make directories of the storebase; pman looks before where STOREBASE_MOUNT is set, "
    "which it is not"
)
_CONFINED = "a kubelet refuses a link that leads out of a volume, and follows one that stays in it"
_RACE = (
    "a kubelet before 1.19.15, 1.20.11, 1.21.5 or 1.22.2 may follow a link that takes the place of "
    "a directory while it mounts it (CVE-2021-25741); later ones refuse it"
)
_FOLLOWED = "with STOREBASE_LINKS=follow nodes mount a directory by its path, and follow links"


def capabilities(
    platform: Platform, settings: K8sSettings, environ: Mapping[str, str]
) -> Capabilities:
    """The capabilities; those of the two platforms differ only in the notes."""
    notes = [_TIME, _SECRETS]
    by_path = False
    with contextlib.suppress(SettingsError):  # the core reports it, and does not start
        core = load(CoreSettings, environ)
        notes.insert(0, required_level(platform, core))
        by_path = core.storebase_links == "follow" and core.storage_type in ("host", "nfs")
    deviations = {
        Deviation.LOG_ORDER: "container runtimes read stdout and stderr from two pipes",
        Deviation.LOG_BYTES: (
            "nodes with Docker (before 1.24) keep logs as JSON; containerd and CRI-O keep all bytes"
        ),
        Deviation.SWAP_NOT_LIMITED: (
            "a Job cannot say anything of swap: nodes have none unless their operator allows it"
        ),
        Deviation.WORKDIR_MADE: (
            "runc, which starts containers on nodes, makes it as root's, and has no option not to"
        ),
        Deviation.LATE_LINKS_OUT: _FOLLOWED if by_path else _RACE,
        Deviation.LATE_LINKS_WITHIN: _FOLLOWED if by_path else _CONFINED,
        Deviation.NO_INIT: "Kubernetes has no init for containers; an image may bring its own",
        Deviation.SECOND_RUN_WINDOW: (
            "before 1.26 a pod that is deleted by hand or evicted is replaced at once, and a "
            "cluster whose API server dies while it makes a pod may make two; pman ends the job "
            "as lost when it next looks, and both may run until then; a pod that came and went "
            "between two looks it does not miss, so such a job may succeed"
        ),
    }
    if not by_path and not settings.storebase_mount:
        deviations[Deviation.MISSING_DIRECTORY_MADE] = _MADE
    return Capabilities(
        mounts={ClaimPath, HostPath, NfsPath},
        default_storage="kubernetes_pvc",
        deviations=deviations,
        notes=tuple(notes),
    )
