"""The settings of this backend."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import environ

from pman_core.kit.settings import pairs, text, variable
from pman_docker.settings import HostSettings

#: What may stand in a constraint (``manager/constraint`` of swarmkit; the engine answers 500).
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")
_MAY_HOLD = "it may hold letters, digits and"


@environ.config(prefix="", frozen=True)
class SwarmSettings(HostSettings):
    """How to reach a manager of the swarm, and where jobs are placed."""

    node_selector: Mapping[str, str] | None = variable(
        "NODE_SELECTOR",
        pairs,
        None,
        "Labels that a node must have to run jobs, as key=value,other=value. They are labels "
        "of the swarm's nodes (docker node update --label-add).",
    )
    gpu_resource: str = variable(
        "GPU_RESOURCE",
        text,
        "NVIDIA-GPU",
        "The generic resource that GPUs are, as node-generic-resources in the nodes' "
        "daemon.json calls it.",
    )

    def problems(self) -> Iterator[str]:
        """What is wrong with combinations of these variables."""
        yield from super().problems()
        for key, value in (self.node_selector or {}).items():
            if not _KEY.fullmatch(key):
                yield f"NODE_SELECTOR has the key {key!r}; {_MAY_HOLD} . _ - inside"
            if not _VALUE.fullmatch(value):
                yield f"NODE_SELECTOR has the value {value!r}; {_MAY_HOLD} . _ / - inside"
