"""Gets images: logins of registries, pulls, and the image that holds nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import docker
import docker.auth
import docker.errors
import docker.utils

from pman_docker.client import Engine
from pman_docker.errors import accepted, engine_errors, login_errors
from pman_docker.framing import news


def login(engine: Engine, image: str) -> str | None:
    """The login for the registry of an image, from the files of Docker's own client.

    They are read anew each time: some logins are good for hours only.

    :return: a value of ``X-Registry-Auth``; ``None`` where there is no login, and where the
        image has an impossible name, which the engine refuses in its own words.
    """
    with engine_errors(engine.address), login_errors():
        repository, _ = docker.utils.parse_repository_tag(image)
        try:
            registry, _ = docker.auth.resolve_repository_name(repository)
        except docker.errors.InvalidRepository:
            return None
        api = engine.api()
        api.reload_config()
        found: bytes | None = docker.auth.get_config_header(api, registry)
    return found.decode() if found else None


def pull(engine: Engine, image: str, news_within_s: float) -> None:
    """Pull an image, however long it takes, as long as there is news of it.

    :param news_within_s: seconds without any after which it is given up.
    :raises RefusedError: it cannot be had, in the engine's words.
    """
    api, header = engine.api(), login(engine, image)
    repository, tag = docker.utils.parse_repository_tag(image)
    with (
        engine_errors(engine.address),
        api.post(
            api.base_url + "/images/create",
            # The API pulls all tags where none is named.
            params={"fromImage": repository, "tag": tag or "latest"},
            headers={"X-Registry-Auth": header} if header else {},
            stream=True,
            timeout=(api.timeout, news_within_s),
        ) as answer,
    ):
        _raise_error(news(accepted(answer).iter_lines()))


def load(engine: Engine, archive: bytes) -> None:
    """Load an image from an archive as ``docker save`` writes it."""
    with engine_errors(engine.address):
        _raise_error(engine.ask(lambda api: list(_load(api, archive))))


def _load(api: Any, archive: bytes) -> Iterable[dict[str, Any]]:
    """The SDK has no types here."""
    messages: Iterable[dict[str, Any]] = api.load_image(archive)
    return messages


def _raise_error(messages: Iterable[dict[str, Any]]) -> None:
    for message in messages:
        if "error" in message:
            raise docker.errors.APIError(message["error"], explanation=message["error"])
