"""The engine's client: few calls, each with a time-out, each with our errors."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import docker
import docker.errors
import requests

from pman_core.kit.engine_http import BoundedSession
from pman_core.kit.times import parsed_time
from pman_docker.engine_info import EngineInfo, engine_info_of
from pman_docker.errors import (
    ImageMissingError,
    NotFoundError,
    RefusedError,
    accepted,
    engine_errors,
    is_other_version,
    login_errors,
    query_errors,
)
from pman_docker.framing import contents, frames, rejoined
from pman_docker.settings import HostSettings

#: How much of a log is read at once.
_CHUNK = 65536

#: What Docker and Podman say of a container that ends or is removed just now. The last one, at a
#: look, is of Podman up to 4.3 (its issue 16383).
_ENDS_JUST_NOW = ("already in progress", "container state improper", "/cgroup: no such process")

T = TypeVar("T")


class _Client(BoundedSession, docker.APIClient):
    """Docker's client, with time-outs of whole calls."""


class Engine:
    """One engine; the connection is made when it is first needed.

    :param address: as in ``DOCKER_HOST``.
    """

    def __init__(self, settings: HostSettings, address: str) -> None:
        self.address = address
        self._settings = settings
        self._api: docker.APIClient | None = None
        self._info: EngineInfo | None = None
        self._server = ""

    # ------------------------------------------------------------- connection

    def api(self) -> docker.APIClient:
        """The client. It settles the version of the API with the engine when it is made.

        Several threads may make it at once; where one waited for another, many would wait for
        the time-outs of each other.
        """
        api = self._api
        if api is None:
            with engine_errors(self.address), login_errors():
                api = _Client(
                    base_url=self.address,
                    version="auto",
                    timeout=self._settings.engine_timeout_s,
                    tls=self._settings.tls() or False,
                )
            # No proxy stands before a socket, and looking for one takes a tenth of each call.
            api.trust_env = not self.address.startswith("unix://")
            api.hooks["response"].append(functools.partial(self._notice, api))
            self._api = api
        return api

    def info(self, *, anew: bool = False) -> EngineInfo:
        """What the engine is; asked once, and again where another one has taken its place.

        :param anew: ask again all the same.
        """
        engine_info = self._info
        if engine_info is None or anew:
            engine_info = engine_info_of(*self.about())
        return engine_info

    def _notice(self, api: docker.APIClient, answer: requests.Response, **_: object) -> None:
        """Forget what is known of an engine that has been replaced or upgraded.

        Both engines give name and version with each answer, as ``Server`` (Docker/20.10.24,
        Libpod/4.3.1).
        """
        server, self._server = self._server, answer.headers.get("Server", "")
        if server not in ("", self._server):
            self._forget(api)

    def _forget(self, api: docker.APIClient) -> None:
        if self._api is api:  # no other thread has been here
            self._api = self._info = None
            api.close()

    def ask(self, call: Callable[[docker.APIClient], T]) -> T:
        """Call the engine; once more where it does not take this version of its API any more.

        It has done nothing then, so any call may be repeated. Paths without a version, as ``get``
        and ``post`` use them, are always taken.
        """
        api = self.api()
        try:
            return call(api)
        except docker.errors.APIError as error:
            if not is_other_version(error):
                raise
        self._forget(api)
        return call(self.api())

    def about(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the engine says of itself now: ``GET /version`` and ``GET /info``."""
        with query_errors(self.address):
            version, info = self.ask(lambda api: api.version()), self.ask(lambda api: api.info())
        self._info = engine_info_of(version, info)
        return version, info

    def ping(self) -> None:
        """:raises EngineUnavailableError: the engine does not answer."""
        with query_errors(self.address):
            self.ask(lambda api: api.ping())

    # ------------------------------------------------------------------ any path

    def get(self, path: str, **query: str) -> Any:
        """The JSON that a path of the API answers."""
        api = self.api()
        with engine_errors(self.address):
            answer = api.get(api.base_url + path, params=query, timeout=api.timeout)
            return accepted(answer).json()

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> dict[str, Any]:
        """Post JSON to a path of the API, and return the answer."""
        api = self.api()
        with engine_errors(self.address):
            answer = api.post(
                api.base_url + path, json=body, params=query, headers=headers, timeout=api.timeout
            )
            try:
                created: dict[str, Any] = accepted(answer).json()
            except docker.errors.APIError as error:
                if is_other_version(error):
                    self._forget(api)
                raise
            return created

    def delete(self, path: str) -> None:
        """Delete what a path of the API is."""
        api = self.api()
        with engine_errors(self.address):
            accepted(api.delete(api.base_url + path, timeout=api.timeout))

    def log_of(
        self, path: str, tail_lines: int | None, *, splits_lines: bool = True
    ) -> Iterator[bytes]:
        """A log without a terminal, piece by piece, as far as it has been written.

        :param path: the log's path in the API.
        :param tail_lines: how many pieces that the engine takes for lines, from the end.
        :param splits_lines: whether the engine is Docker, which does not give a line that it had
            to split as it was.
        """
        if splits_lines:
            yield from rejoined(self._frames(path, tail_lines, timestamps="1"))
        else:
            yield from contents(self._frames(path, tail_lines))

    def _frames(
        self, path: str, tail_lines: int | None, **more: str
    ) -> Generator[tuple[int, bytes]]:
        api = self.api()
        query = {"stdout": "1", "stderr": "1", "tail": str(tail_lines or "all"), **more}
        with (
            engine_errors(self.address),
            api.get(api.base_url + path, params=query, stream=True, timeout=api.timeout) as answer,
        ):
            yield from frames(accepted(answer).iter_content(_CHUNK))

    # ------------------------------------------------------------- containers

    def start(self, name: str) -> None:
        """Start a container; one that has been started already stays as it is."""
        with engine_errors(self.address):
            self.ask(lambda api: api.start(name))

    def inspect(self, name: str) -> dict[str, Any]:
        """Everything about a container.

        :raises NotFoundError: nothing has that name.
        """
        with query_errors(self.address, may_lack=True):
            found: dict[str, Any] = self._again_while_it_ends(
                lambda: self.ask(lambda api: api.inspect_container(name))
            )
            return found

    def remove(self, container: str, *, even_running: bool = True) -> None:
        """Kill and remove a container, with its anonymous volumes; gone already is no error.

        :raises RefusedError: it runs, and ``even_running`` is false.
        """
        with contextlib.suppress(NotFoundError), engine_errors(self.address):
            self.ask(lambda api: api.remove_container(container, v=True, force=even_running))

    def kill(self, container: str) -> None:
        """End a container; one that does not run stays as it is."""
        with contextlib.suppress(RefusedError), engine_errors(self.address):
            self.ask(lambda api: api.kill(container))

    def remove_wholly(self, container: str) -> None:
        """Remove a container, and wait where it ends or is removed just now.

        :raises RefusedError: it was not gone in time.
        """
        self._again_while_it_ends(lambda: self.remove(container))

    def _again_while_it_ends(self, call: Callable[[], T], *, lists: bool = False) -> T:
        """Ask again, within the time-out, where the engine cannot since a container just ends.

        :param lists: whether it is one of many, which may also be gone meanwhile (Podman).
        """
        deadline = time.monotonic() + self._settings.engine_timeout_s
        while True:
            try:
                with engine_errors(self.address):
                    return call()
            except RefusedError as refused:
                ends = any(words in str(refused) for words in _ENDS_JUST_NOW)
                ends |= lists and isinstance(refused, NotFoundError)
                if not ends or time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def now(self) -> datetime:
        """The time by the engine's clock, which is not always that of this machine."""
        with query_errors(self.address):
            time_now = parsed_time(self.ask(lambda api: api.info()).get("SystemTime"))
        return time_now or datetime.now(UTC)

    def events(
        self, since: float, until: float, labels: list[str], opened: Callable[[], object]
    ) -> Generator[dict[str, Any]]:
        """What happens to containers that have these labels, as it happens.

        Podman (4.3) sends what happens to containers that have one of the labels.

        :param since: from when on, by the engine's clock, in seconds since 1970.
        :param until: when the stream ends, likewise.
        :param opened: called when the engine has begun to send.
        :raises EngineUnavailableError: the engine does not answer, or gives no events.
        """
        api = self.api()
        filters = json.dumps({"type": ["container"], "label": labels})
        query = {"since": f"{since:.6f}", "until": f"{until:.6f}", "filters": filters}
        whole_s = api.timeout + max(0.0, until - since)
        with (
            query_errors(self.address),
            api.get(api.base_url + "/events", params=query, stream=True, timeout=whole_s) as answer,
        ):
            lines = accepted(answer).iter_lines(_CHUNK)
            opened()
            for line in lines:
                if line:
                    yield json.loads(line)

    def labelled(self, *labels: str) -> list[dict[str, Any]]:
        """Summaries of all containers that have these labels."""
        with query_errors(self.address):
            found: list[dict[str, Any]] = self._again_while_it_ends(
                lambda: self.ask(
                    lambda api: api.containers(all=True, filters={"label": list(labels)})
                ),
                lists=True,
            )
            return found

    def log(
        self, container: str, tail_lines: int | None, *, splits_lines: bool = True
    ) -> Iterator[bytes]:
        """The log of a container; see ``log_of``."""
        path = f"/containers/{container}/logs"
        return self.log_of(path, tail_lines, splits_lines=splits_lines)

    def log_start(self, container: str, size: int) -> list[tuple[int, bytes]]:
        """The first frames of a log, stream and content, with so many bytes or all that it has."""
        found: list[tuple[int, bytes]] = []
        with contextlib.closing(self._frames(f"/containers/{container}/logs", None)) as log:
            for stream, content in log:
                found.append((stream, content))
                size -= len(content)
                if size < 0:
                    break
        return found

    # ------------------------------------------------------ images and volumes

    def labels_of_image(self, image: str) -> Mapping[str, str]:
        """The labels that containers of an image inherit; none where it is there no more."""
        with contextlib.suppress(ImageMissingError), query_errors(self.address, may_lack=True):
            found = self.get(f"/images/{image}/json")
            return (found.get("Config") or {}).get("Labels") or {}
        return {}

    def volume(self, name: str) -> dict[str, Any]:
        """Everything about a volume.

        :raises NotFoundError: nothing has that name.
        """
        with query_errors(self.address, may_lack=True):
            found: dict[str, Any] = self.ask(lambda api: api.inspect_volume(name))
            return found
