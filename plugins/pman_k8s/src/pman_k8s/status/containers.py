"""How the containers of a pod ended: pure translation.

API reference, ContainerStateTerminated; the words in ``reason`` are the kubelet's and of the
container runtimes (1.20 with Docker, containerd and CRI-O since).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs

from pman_core import Reason
from pman_k8s.status.pending import Waiting, container_waits

Object = Mapping[str, Any]

#: Of containers that could not be begun: Docker, containerd.
NOT_BEGUN = ("ContainerCannotRun", "StartError", "CreateContainerError", "RunContainerError")

#: What a container waits for whose pod has init containers that have not ended.
INITIALIZING = "PodInitializing"

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


def native_sidecars(spec: Object) -> set[str]:
    """The init containers that run beside the others, and that the kubelet ends (since 1.28)."""
    found = spec.get("initContainers") or ()
    return {one["name"] for one in found if one.get("restartPolicy") == "Always"}


def init_failure(statuses: Iterable[Object], sidecars: Collection[str]) -> Failure | None:
    """Why the init containers of a pod kept its job from starting; ``None`` if they did not."""
    for status in statuses:
        ended = (status.get("state") or {}).get("terminated")
        if ended and ended.get("exitCode") and status["name"] not in sidecars:
            why = end_of(ended).message.removeprefix("cannot start: ")
            message = f"cannot start: init container {status['name']}: {why}"
            return Failure(reason=Reason.CANNOT_START, message=message)
    return None


def init_waits(statuses: Iterable[Object], sidecars: Collection[str]) -> Waiting | None:
    """What the first init container that has not ended waits for, or that it runs."""
    for status in statuses:
        state = status.get("state") or {}
        prefix = f"init container {status['name']}"
        waiting = state.get("waiting") or {}
        if waiting.get("reason") and waiting["reason"] != INITIALIZING:
            return container_waits(status, f"{prefix}: ")
        if "running" in state and status["name"] not in sidecars:
            return Waiting(f"{prefix} runs")
    return None
