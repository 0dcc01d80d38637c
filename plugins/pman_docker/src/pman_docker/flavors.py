"""Where Docker and Podman differ."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from pman_core import Capabilities
from pman_docker import capabilities, payload
from pman_docker.client import Engine
from pman_docker.engine_info import EngineInfo

Payload = dict[str, Any]


@attrs.frozen
class Flavor:
    """One of the two engines.

    :param name: the value of ``CONTAINER_ENV``.
    :param create_path: where containers are created.
    :param job_payload: the body of that request for a job, with the labels to put on it; see
        ``docker_payload``.
    :param placeholder_payload: the same for a placeholder, from its image and labels.
    :param name_in_body: whether the container's name travels in the body, not in the query.
    :param mounts_parts: whether this version mounts a part of a volume, and follows no link out of
        it.
    :param splits_lines: whether the engine splits long lines of a log into pieces that can be
        put together again, its tail being so many of them; others spoil the end of a log.
    :param default_host: where it listens if ``DOCKER_HOST`` is unset, from the environment and the
        user's id.
    :param capabilities: what the backend declares.
    """

    name: str
    create_path: str
    job_payload: Callable[..., Payload]
    placeholder_payload: Callable[[str, Mapping[str, str]], Payload]
    name_in_body: bool
    splits_lines: bool
    default_host: Callable[[Mapping[str, str], int], str]
    capabilities: Capabilities
    mounts_parts: bool = False

    def of(self, engine_info: EngineInfo) -> Flavor:
        """The flavor of this very engine.

        A Docker that mounts parts of volumes is asked under its own version of the API. An older
        one that took its place refuses that; under no version it would mount the whole volume.
        Podman takes any version; ``Creator`` knows of such a change by its answer.
        """
        if not engine_info.mounts_parts:
            return self
        version = "" if engine_info.is_podman else f"/v{engine_info.api}"
        return attrs.evolve(self, mounts_parts=True, create_path=version + self.create_path)

    def create(self, engine: Engine, name: str, body: Payload) -> tuple[str, list[str]]:
        """Create a container; its id, and what the engine warns of.

        :raises ImageMissingError: the engine does not have the image.
        :raises NameInUseError: there is a container of that name.
        :raises RefusedError: it cannot be created, in the engine's words.
        """
        if self.name_in_body:
            answer = engine.post(self.create_path, {**body, "name": name})
        else:
            answer = engine.post(self.create_path, body, name=name)
        return str(answer["Id"]), list(answer.get("Warnings") or ())


#: Where Docker listens. Podman may, too, and pman 6 looked for it there.
_DOCKER_SOCKET = "/var/run/docker.sock"


def _docker_host(environ: Mapping[str, str], uid: int) -> str:
    return f"unix://{_DOCKER_SOCKET}"


def _podman_host(environ: Mapping[str, str], uid: int) -> str:
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    own = f"{runtime if uid else '/run'}/podman/podman.sock"
    if not os.path.exists(own) and os.path.exists(_DOCKER_SOCKET):
        return f"unix://{_DOCKER_SOCKET}"
    return f"unix://{own}"


DOCKER = Flavor(
    name="docker",
    create_path="/containers/create",
    job_payload=payload.docker_payload,
    placeholder_payload=payload.docker_placeholder,
    name_in_body=False,
    splits_lines=True,
    default_host=_docker_host,
    capabilities=capabilities.DOCKER,
)

PODMAN = Flavor(
    name="podman",
    create_path="/v4.0.0/libpod/containers/create",
    job_payload=payload.podman_payload,
    placeholder_payload=payload.podman_placeholder,
    name_in_body=True,
    splits_lines=False,
    default_host=_podman_host,
    capabilities=capabilities.PODMAN,
)
