"""The spec and the environment of a job: the two lines that ``run`` reads."""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

from .causes import Cause


class Mount(NamedTuple):
    """A directory of the cluster, and where the job sees it.

    ``within`` is the storebase, if no part of the path below it may be a link; else empty.
    """

    source: str
    target: str
    read_only: bool
    within: str = ""


class JobSpec(NamedTuple):
    """One job, with the names and units of pman's ``JobSpec``, and a setting of pman.

    ``start_deadline_s`` is how long an image or a container is tried for; pman itself counts from
    when it made the job.
    """

    workflow: str
    image: str
    argv: list[str]
    mounts: list[Mount]
    folder: str
    runtime: str
    workers: int
    memory_mib: int | None
    cpu_millicores: int | None
    gpus: int
    shm_mib: int | None
    uid: int | None
    gid: int | None
    time_limit_s: int | None
    causes: list[Cause]
    start_deadline_s: int | None = None
    workdir: str | None = None


def decoded(line: str) -> Any:
    """What a line of base64 says."""
    return json.loads(base64.b64decode(line))


def spec_of(content: dict[str, Any]) -> JobSpec:
    """A spec; unknown keys are for pman alone, and an older pman sends fewer."""
    known = {name: content[name] for name in JobSpec._fields if name in content}
    known["causes"] = [Cause(**one) for one in content.get("causes", [])]
    mounts = [_mount_of(one) for one in content["mounts"]]
    # One may lie in another, which comes first then.
    known["mounts"] = sorted(mounts, key=lambda mount: mount.target)
    return JobSpec(**known)


def _mount_of(content: dict[str, Any]) -> Mount:
    return Mount(**{name: content[name] for name in Mount._fields if name in content})


def as_bytes(environment: dict[str, str]) -> dict[bytes, bytes]:
    """Variables, whatever language the node speaks."""
    return {name.encode(): value.encode() for name, value in environment.items()}
