"""What an engine is and can do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from pman_core.contract.errors import EngineUnavailableError

#: The names of the two.
DOCKER, PODMAN = "Docker", "Podman"


#: From these versions on an engine mounts a part of a volume, and no link leads out of the volume:
#: of Docker that of its API (Docker 26), of Podman its own. Tried with Docker 26.1 and 28.5, Podman
#: 5.4 and 5.8.
_DOCKER_PARTS, _PODMAN_PARTS = (1, 45), (5, 4)


@attrs.frozen
class EngineInfo:
    """What the engine is and can do, as it says itself (``GET /version``, ``GET /info``).

    :param api: the newest version of its API.
    :param mounts_parts: whether it mounts a part of a volume, and follows no link out of it.
    """

    name: str
    version: str
    rootless: bool
    enforces_limits: bool
    limits_swap: bool
    has_init: bool = True
    knows_oom: bool = True
    exact_tail: bool = True
    api: str = ""
    mounts_parts: bool = False

    @property
    def is_podman(self) -> bool:
        """Whether it is Podman, and not Docker."""
        return self.name == PODMAN

    @property
    def title(self) -> str:
        """For a person."""
        rootless = " (rootless)" if self.rootless else ""
        return f"{self.name} {self.version}{rootless}"


def engine_info_of(version: Mapping[str, Any], info: Mapping[str, Any]) -> EngineInfo:
    """What the two answers say.

    A rootless engine takes limits on cgroup v1 without enforcing them (Podman 4.3), whatever
    ``MemoryLimit`` says.
    """
    components = {part["Name"] for part in version.get("Components") or ()}
    podman = "Podman Engine" in components
    options = info.get("SecurityOptions") or ()
    rootless = bool(info.get("Rootless")) or any("rootless" in option for option in options)
    enforced = bool(info.get("MemoryLimit", True) and info.get("CpuCfsQuota", True))
    if rootless and str(info.get("CgroupVersion", "1")) != "2":
        enforced = False
    number, api = str(version.get("Version", "?")), str(version.get("ApiVersion", ""))
    # Podman 4.3 was tried, and 5.4; what is between counts as old.
    old_podman = podman and _numbers(number) < (5,)
    return EngineInfo(
        PODMAN if podman else DOCKER,
        number,
        rootless,
        enforced,
        limits_swap=bool(info.get("SwapLimit", True)),
        # So says Docker (20.10 to 28) of an init that it cannot run. Podman says nothing here.
        has_init=(info.get("InitCommit") or {}).get("ID") != "N/A",
        # The old one says OOMKilled of no container.
        knows_oom=not old_podman,
        # The old one joins the pieces of a line to the line before; see ``logs.py``.
        exact_tail=not old_podman,
        api=api,
        # A rootless Podman makes no volume that leads to a folder; rootless Docker was not tried.
        mounts_parts=not rootless
        and (_numbers(number) >= _PODMAN_PARTS if podman else _numbers(api) >= _DOCKER_PARTS),
    )


def must_be(engine_info: EngineInfo, wanted: str, address: str) -> EngineInfo:
    """The same, if it is of the wanted kind of engine.

    :raises EngineUnavailableError: it is of another kind; what pman knows of the one is not
        true of the other.
    """
    if engine_info.name.lower() != wanted:
        raise EngineUnavailableError(
            f"the engine at {address} is {engine_info.name}; set CONTAINER_ENV="
            f"{engine_info.name.lower()}, or DOCKER_HOST to the address of a {wanted} engine"
        )
    return engine_info


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers with which a version begins, separated by dots; none where it has none."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in found[0].split(".")) if found else ()
