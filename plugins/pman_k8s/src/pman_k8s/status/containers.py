"""How the containers of a pod ended: pure translation.

API reference, ContainerStateTerminated. The words in ``reason`` are those of the kubelet and of the
container runtimes (1.20 with Docker; containerd and CRI-O since).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pman_core.kit.outcome import Outcome, cannot_start, exited, lost, out_of_memory
from pman_k8s.status.pending import Waiting, container_waits

Object = Mapping[str, Any]

#: Reasons of containers that could not be started: Docker's, containerd's.
NOT_BEGUN = ("ContainerCannotRun", "StartError", "CreateContainerError", "RunContainerError")

#: The reason of a container that waits for the init containers of its pod.
INITIALIZING = "PodInitializing"


def outcome_of(ended: Object) -> Outcome:
    """Why a container failed that has."""
    word, code = ended.get("reason", ""), ended.get("exitCode")
    words = (ended.get("message") or "").strip() or word
    if word == "OOMKilled":
        return out_of_memory(code)
    if word in NOT_BEGUN:
        return cannot_start(words, code)
    if word == "ContainerStatusUnknown":
        return lost(words)
    return exited(ended["exitCode"])


def native_sidecars(spec: Object) -> set[str]:
    """The init containers that run beside the others, and that the kubelet ends (since 1.28)."""
    found = spec.get("initContainers") or ()
    return {one["name"] for one in found if one.get("restartPolicy") == "Always"}


def init_failure(statuses: Iterable[Object], sidecars: Collection[str]) -> Outcome | None:
    """Why the init containers of a pod kept its job from starting; ``None`` if they did not."""
    for status in statuses:
        ended = (status.get("state") or {}).get("terminated")
        if ended and ended.get("exitCode") and status["name"] not in sidecars:
            why = outcome_of(ended).message.removeprefix("cannot start: ")
            return cannot_start(f"init container {status['name']}: {why}")
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
