"""How the containers of a pod ended: pure translation.

API reference, ContainerStateTerminated; the words in ``reason`` are the kubelet's and of the
container runtimes (1.20 with Docker, containerd and CRI-O since).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from pman_core import Reason

Object = Mapping[str, Any]

#: Of containers that could not be begun: Docker, containerd.
NOT_BEGUN = ("ContainerCannotRun", "StartError", "CreateContainerError", "RunContainerError")

_KILLED = 137


@attrs.frozen(kw_only=True)
class Failure:
    """Why a run failed."""

    reason: Reason
    message: str
    exit_code: int | None = None


def end_of(ended: Object) -> Failure:
    """Why a container failed; of one that has."""
    word, code = ended.get("reason", ""), ended.get("exitCode")
    words = (ended.get("message") or "").strip()
    if word == "OOMKilled":
        message = f"out of memory: it wanted more than its memory limit (OOMKilled, {code})"
        return Failure(reason=Reason.OUT_OF_MEMORY, message=message, exit_code=code)
    if word in NOT_BEGUN:
        message = f"cannot start: {words or word}"
        return Failure(reason=Reason.CANNOT_START, message=message, exit_code=code)
    if word == "ContainerStatusUnknown":
        message = f"lost: {words or word}"
        return Failure(reason=Reason.LOST, message=message)
    if code == _KILLED:
        message = f"killed (exit code {code})"
        return Failure(reason=Reason.KILLED, message=message, exit_code=code)
    return Failure(reason=Reason.EXIT_CODE, message=f"exited with code {code}", exit_code=code)
