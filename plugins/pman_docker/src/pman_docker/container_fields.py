"""Parts of a payload that are the same for containers and services: user, mounts, capabilities."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pman_core import HostPath, Job, Mount, NfsPath
from pman_core.contract.errors import UnsupportedError
from pman_core.kit.root_capabilities import ROOT_CAPABILITIES
from pman_docker.settings import HostSettings

Payload = dict[str, Any]


def confinement(job: Job, settings: HostSettings) -> tuple[list[str], list[str]]:
    """The capabilities to drop, and those to keep all the same."""
    if not settings.confine_jobs:
        return [], []
    is_root = job.user is None or not job.user.uid
    return ["ALL"], [f"CAP_{name}" for name in ROOT_CAPABILITIES] if is_root else []


def user_words(job: Job, image_user: str = "") -> str:
    """``uid``, ``uid:gid`` or nothing.

    :param image_user: the image's own user, for a job with a group alone; root if it has none.
    """
    uid, gid = (job.user.uid, job.user.gid) if job.user else (None, None)
    if gid is None:
        return "" if uid is None else str(uid)
    return f"{image_user or '0' if uid is None else uid}:{gid}"


def volume_name(instance: str, options: Mapping[str, str]) -> str:
    """The name of the volume that an instance has for these options of the driver."""
    whose = json.dumps([instance, options], sort_keys=True).encode()
    return f"pman-{hashlib.sha256(whose).hexdigest()[:40]}"


def docker_mount(mount: Mount) -> Payload:
    """A mount in the words of Docker's API, for containers and services alike."""
    match mount.source:
        case HostPath(path):
            return {
                "Target": mount.target,
                "Type": "bind",
                "Source": path,
                "ReadOnly": mount.read_only,
            }
        case NfsPath(server, path):
            # Docker takes no ReadOnly for a volume without a name; the mount's own option is one.
            access = "ro" if mount.read_only else "rw"
            words = f"addr={server},nolock,soft,{access}"
            options = {"type": "nfs", "o": words, "device": f":{path}"}
            driver = {"Name": "local", "Options": options}
            return {
                "Target": mount.target,
                "Type": "volume",
                "VolumeOptions": {"DriverConfig": driver},
            }
        case other:
            raise UnsupportedError(f"Docker cannot mount a {type(other).__name__}")
