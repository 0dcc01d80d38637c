"""Requests of any path to the API server, each with a time-out, and answers with pman's errors."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import attrs

from pman_core.contract.errors import EngineUnavailableError
from pman_k8s.connection import Connection
from pman_k8s.errors import UnauthorizedError, engine_errors, raise_for
from pman_k8s.settings import K8sSettings
from pman_k8s.transport import JSON

Object = dict[str, Any]

#: How much of a body is read at once.
_CHUNK = 65536


@attrs.frozen
class Answer:
    """What the server answered, and when by its own clock."""

    body: Object
    date: datetime


class Server:
    """An API server; the connection is made when it is first needed."""

    def __init__(self, settings: K8sSettings, environ: Mapping[str, str]) -> None:
        self._connection = Connection(settings, environ)
        self._timeout_s = settings.engine_timeout_s

    @property
    def address(self) -> str:
        """Where the API server is, for a person."""
        return self._connection.address

    def ask(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        kind: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """The JSON that the server answers.

        :raises RefusedError: the server answered with an error.
        :raises EngineUnavailableError: it did not answer, or cannot serve now.
        """
        try:
            return self._answer(method, path, body, kind, query or {})
        except UnauthorizedError:
            # The token was replaced just now, or has expired.
            self._connection.forget()
        try:
            return self._answer(method, path, body, kind, query or {})
        except UnauthorizedError as refused:
            raise EngineUnavailableError(
                f"the API server at {self.address} does not accept pman's credentials (401): "
                f"{refused}"
            ) from refused

    def stream(self, path: str, query: Mapping[str, str]) -> Generator[bytes]:
        """The bytes that the server answers, in chunks as they come.

        :raises RefusedError: the server answered with an error.
        :raises EngineUnavailableError: it did not answer, or not in time, or cannot serve now.
        """
        with engine_errors(lambda: self.address):
            client = self._connection.client()
            response = client.send("GET", path, query, None, JSON, self._timeout_s)
            with contextlib.closing(response):
                if response.status >= 400:
                    raise_for(response.status, response.headers, response.data)
                yield from response.stream(_CHUNK)

    def _answer(
        self, method: str, path: str, body: Object | None, kind: str, query: Mapping[str, str]
    ) -> Answer:
        with engine_errors(lambda: self.address):
            client = self._connection.client()
            response = client.send(method, path, query, body, kind, self._timeout_s)
            content = response.data
            raise_for(response.status, response.headers, content)
            found = json.loads(content)
            # An answer that is no object of the API is the server's version.
            if not isinstance(found, dict) or not found.keys() & {"kind", "gitVersion"}:
                raise EngineUnavailableError(
                    f"the API server at {self.address} answers what no API server does"
                )
            return Answer(found, _date(response.headers.get("Date")))


def _date(header: str | None) -> datetime:
    """The time by the server's clock, which also sets the times of its objects."""
    try:
        return parsedate_to_datetime(header or "").astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)
