"""Tells whether two requests with the same id ask for the same job."""

from __future__ import annotations

import hashlib
import json
import logging

import attrs

from pman_core.contract.request import JobRequest

_VERSION = "v1"

log = logging.getLogger(__name__)


def fingerprint(request: JobRequest) -> str:
    """A versioned hash of what the client asked for, and of nothing else.

    Settings do not enter: neither another label or user nor a newer pman may make an
    honest retry look like another request.
    """
    said: dict[str, object] = {
        "image": request.image,
        "entrypoint": request.entrypoint,
        "args": request.args,
        "args_path_flags": sorted(request.args_path_flags),
        "type": request.type.value if request.type else None,
        "auid": request.auid,
        "number_of_workers": request.number_of_workers,
        "cpu_limit": request.cpu_limit,
        "memory_limit": request.memory_limit,
        "gpu_limit": request.gpu_limit,
        "env": sorted(request.env.items()),
        "input_dir": request.input_dir,
        "output_dir": request.output_dir,
        "time_limit": request.time_limit,
    }
    # What is newer enters only where it is asked for, so that older fingerprints stay as they are.
    if request.workdir is not None:
        said["workdir"] = request.workdir
    if request.mounts:
        said["mounts"] = [attrs.astuple(mount) for mount in request.mounts]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return f"{_VERSION}-{hashlib.sha256(text.encode()).hexdigest()}"


def same_request(stored: str, wanted: str) -> bool:
    """Whether a stored fingerprint and that of a new request stand for the same request.

    One that another version of pman wrote cannot be compared: it counts as the same,
    since a retry is likelier than a clash, and is logged.
    """
    if stored.partition("-")[0] == _VERSION:
        return stored == wanted
    log.warning("fingerprint %.12r is of another version: taken for the same request", stored)
    return True
