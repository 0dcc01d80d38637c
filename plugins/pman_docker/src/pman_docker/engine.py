"""The engine's client: few calls, each with a time-out, each with our errors."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import docker
import docker.errors
import docker.tls
import requests

from pman_core.errors import EngineUnavailableError
from pman_docker.errors import NotThere, Refused, engine_errors
from pman_docker.settings import DockerSettings
from pman_docker.state import moment


@attrs.frozen
class EngineFacts:
    """What the engine is and can do, as it says itself (``GET /version``, ``GET /info``)."""

    name: str
    version: str
    rootless: bool
    enforces_limits: bool
    limits_swap: bool

    @property
    def title(self) -> str:
        """For a person."""
        rootless = " (rootless)" if self.rootless else ""
        return f"{self.name} {self.version}{rootless}"


class Engine:
    """One engine; the connection is made when it is first needed.

    :param address: as in ``DOCKER_HOST``.
    """

    def __init__(self, settings: DockerSettings, address: str) -> None:
        self.address = address
        self._settings = settings
        self._lock = threading.Lock()
        self._api: docker.APIClient | None = None
        self._facts: EngineFacts | None = None

    # ------------------------------------------------------------- connection

    def api(self, timeout_s: float | None = None) -> docker.APIClient:
        """The client. It settles the version of the API with the engine when it is made."""
        if timeout_s is not None:
            return self._connect(timeout_s)
        with self._lock:
            if self._api is None:
                self._api = self._connect(self._settings.engine_timeout_s)
            return self._api

    def _connect(self, timeout_s: float) -> docker.APIClient:
        tls: docker.tls.TLSConfig | bool = False
        folder = self._settings.cert_path
        if self._settings.tls_verify or folder:
            pair = (f"{folder}/cert.pem", f"{folder}/key.pem") if folder else None
            tls = docker.tls.TLSConfig(
                client_cert=pair,
                ca_cert=f"{folder}/ca.pem" if folder else None,
                verify=self._settings.tls_verify,
            )
        with engine_errors(self.address):
            return docker.APIClient(
                base_url=self.address, version="auto", timeout=int(timeout_s), tls=tls
            )

    def facts(self) -> EngineFacts:
        """What the engine is; asked once, since it does not change under a connection."""
        if self._facts is None:
            with engine_errors(self.address):
                version, info = self.api().version(), self.api().info()
            self._facts = facts_of(version, info)
        return self._facts

    def ping(self) -> None:
        """:raises EngineUnavailableError: the engine does not answer."""
        with engine_errors(self.address):
            self.api().ping()

    # ------------------------------------------------------------- containers

    def post(self, path: str, body: Mapping[str, Any], **query: str) -> dict[str, Any]:
        """Post JSON to a path of the API, and return the answer."""
        api = self.api()
        with engine_errors(self.address):
            answer = api.post(api.base_url + path, json=body, params=query, timeout=api.timeout)
            if not answer.ok:
                raise docker.errors.APIError(str(answer.status_code), answer, _words(answer))
            created: dict[str, Any] = answer.json()
            return created

    def start(self, name: str) -> None:
        """Start a container; one that has been started already stays as it is."""
        with engine_errors(self.address):
            self.api().start(name)

    def inspect(self, name: str) -> dict[str, Any]:
        """Everything about a container."""
        with engine_errors(self.address):
            found: dict[str, Any] = self.api().inspect_container(name)
            return found

    def remove(self, container: str, *, even_running: bool = True) -> None:
        """Kill and remove a container, with its anonymous volumes; gone already is no error.

        :raises Refused: it runs, and ``even_running`` is false.
        """
        with contextlib.suppress(NotThere), engine_errors(self.address):
            self.api().remove_container(container, v=True, force=even_running)

    def remove_wholly(self, container: str) -> None:
        """Remove a container, and wait where somebody else is at it already.

        :raises EngineUnavailableError: it was not gone in time.
        """
        deadline = time.monotonic() + self._settings.engine_timeout_s
        while True:
            try:
                return self.remove(container)
            except Refused as refused:
                if "already in progress" not in str(refused) or time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def now(self) -> datetime:
        """The time by the engine's clock, which is not always that of this machine."""
        with engine_errors(self.address):
            told = moment(self.api().info().get("SystemTime"))
        return told or datetime.now(UTC)

    def labelled(self, *labels: str) -> list[dict[str, Any]]:
        """Summaries of all containers that have these labels."""
        with engine_errors(self.address):
            found: list[dict[str, Any]] = self.api().containers(
                all=True, filters={"label": list(labels)}
            )
            return found

    def log(self, container: str, tail_lines: int | None) -> Iterator[bytes]:
        """The log of a container, piece by piece, as far as it has been written.

        :param tail_lines: how many pieces that the engine takes for lines, from the end.
        """
        with engine_errors(self.address):
            pieces = self.api().logs(
                container,
                stdout=True,
                stderr=True,
                stream=True,
                follow=False,
                tail="all" if tail_lines is None else tail_lines,
            )
            yield from pieces

    # ----------------------------------------------------------------- images

    def pull(self, image: str) -> None:
        """Pull an image, however long it takes, as long as there is news of it.

        :raises Refused: it cannot be had, in the engine's words.
        """
        # The API pulls all tags where none is named.
        named = image if _has_tag(image) else f"{image}:latest"
        with engine_errors(self.address):
            for news in self.api(self._settings.pull_timeout_s).pull(
                named, stream=True, decode=True
            ):
                if "error" in news:
                    raise docker.errors.APIError(news["error"], explanation=news["error"])

    def load_image(self, archive: bytes) -> None:
        """Load an image from an archive as ``docker save`` writes it."""
        with engine_errors(self.address):
            news_of: Any = self.api().load_image  # it has no type
            for news in news_of(archive):
                if "error" in news:
                    raise docker.errors.APIError(news["error"], explanation=news["error"])

    # ---------------------------------------------------------------- volumes

    def volume(self, name: str) -> dict[str, Any]:
        """Everything about a volume."""
        with engine_errors(self.address):
            found: dict[str, Any] = self.api().inspect_volume(name)
            return found


def facts_of(version: Mapping[str, Any], info: Mapping[str, Any]) -> EngineFacts:
    """What the two answers say.

    A rootless engine takes limits on cgroup v1 without enforcing them (Podman 4.3), whatever
    ``MemoryLimit`` says.
    """
    components = {part["Name"] for part in version.get("Components") or ()}
    podman = "Podman Engine" in components
    rootless = any("rootless" in option for option in info.get("SecurityOptions") or ())
    enforced = bool(info.get("MemoryLimit", True) and info.get("CpuCfsQuota", True))
    if rootless and str(info.get("CgroupVersion", "1")) != "2":
        enforced = False
    return EngineFacts(
        "Podman" if podman else "Docker",
        str(version.get("Version", "?")),
        rootless,
        enforced,
        limits_swap=bool(info.get("SwapLimit", True)),
    )


def expect(engine: Engine, wanted: str) -> EngineFacts:
    """The facts of an engine, which must be of the kind that ``CONTAINER_ENV`` names.

    :raises EngineUnavailableError: it is of another kind; what pman knows of the one is not
        true of the other.
    """
    facts = engine.facts()
    if facts.name.lower() != wanted:
        raise EngineUnavailableError(
            f"the engine at {engine.address} is {facts.name}; set CONTAINER_ENV="
            f"{facts.name.lower()}, or DOCKER_HOST to the address of a {wanted} engine"
        )
    return facts


def _words(answer: requests.Response) -> str:
    """What the engine says of an error: both put it under ``message``."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text.strip()


def _has_tag(image: str) -> bool:
    return ":" in image.rpartition("/")[2] or "@" in image
