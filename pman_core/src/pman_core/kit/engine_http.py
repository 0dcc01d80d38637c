"""Calls over HTTP that take no longer than their time-out, for plugins whose engine has an API.

A time-out of ``requests`` and urllib3 bounds each read, so a server that sends a byte a second
holds its client without end. With a :class:`BoundedSession` a time-out bounds the whole call, and
so does ``urllib3.Timeout(total=...)`` on a pool that went through :func:`bound_pool`.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import math
import socket
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from pman_core.kit.deadline import left

_TIME_OUTS = (TimeoutError, requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)

#: A connection that was refused, which some versions of urllib3 take for a kind of time-out.
_REFUSED = urllib3.exceptions.NewConnectionError

#: They quote what they took for a host or a port, which may be a part of a password.
_MALFORMED = (urllib3.exceptions.LocationParseError, requests.exceptions.InvalidURL)

#: Whether the answer that is being asked for may take its time, piece by piece.
_in_pieces: ContextVar[bool] = ContextVar("pman_answer_in_pieces", default=False)


class BoundedSession(requests.Session):
    """A session whose calls take no longer than their time-out, nor than the request has left.

    A time-out that is a number of seconds is for the whole call: to connect, to send, and to read
    the answer, headers and body. A pair ``(connect, read)`` keeps the meaning that ``requests``
    gives it for the body, for answers that may take long while they report progress.

    A call that takes too long raises what ``requests`` raises; :func:`is_late` recognizes it.
    """

    def get_adapter(self, url: str) -> _Bounded:
        """The adapter for an address."""
        return _Bounded(super().get_adapter(url))


class _Bounded(BaseAdapter):
    """Sends by another adapter."""

    def __init__(self, adapter: BaseAdapter) -> None:
        super().__init__()
        self._adapter = adapter

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        if isinstance(self._adapter, HTTPAdapter):
            try:
                pool = self._adapter.get_connection_with_tls_context(
                    request, verify, proxies=proxies, cert=cert
                )
            except urllib3.exceptions.LocationValueError as error:  # as the adapter itself
                raise requests.exceptions.InvalidURL(error, request=request) from error
            bound_pool(pool)
        whole = isinstance(timeout, (int, float))
        if whole:
            timeout = urllib3.Timeout(total=left(timeout))
        token = _in_pieces.set(not whole)
        try:
            return self._adapter.send(request, stream, timeout, verify, cert, proxies)
        finally:
            _in_pieces.reset(token)

    def close(self) -> None:
        self._adapter.close()


def bound_pool(pool: urllib3.connectionpool.ConnectionPool) -> None:
    """Have each answer on new connections of a pool come whole within the read time-out."""
    made: Any = pool  # of whatever kind: of Docker's client there is one for unix sockets
    if getattr(made, "pman_bound", False):
        return
    new = made._new_conn

    def bounded() -> Any:
        connection = new()
        connection.response_class = _WholeAnswer
        return connection

    made._new_conn, made.pman_bound = bounded, True


class _WholeAnswer(http.client.HTTPResponse):
    """An answer whose headers and body must come within the time-out that its socket has now."""

    def __init__(self, sock: socket.socket, *arguments: Any, **more: Any) -> None:
        super().__init__(sock, *arguments, **more)
        self._reader = _Reader(self.fp.detach(), sock)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        super().begin()
        if _in_pieces.get():
            self._reader.bounds_each_read()


class _Reader(io.RawIOBase):
    """Reads from a socket, which waits for less and less."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        super().__init__()
        self._raw, self._sock = raw, sock
        self._seconds = sock.gettimeout()
        self._ends = math.inf if self._seconds is None else time.monotonic() + self._seconds

    def bounds_each_read(self) -> None:
        """From here on, take what comes for as long as something comes in time."""
        self._ends = math.inf
        self._sock.settimeout(self._seconds)

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        if self._ends != math.inf:
            remaining = self._ends - time.monotonic()
            if remaining <= 0:
                raise TimeoutError("the answer did not come whole in time")
            self._sock.settimeout(remaining)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            with contextlib.suppress(OSError):  # closed already
                self._sock.settimeout(self._seconds)  # for the next request on this connection
            self._raw.close()
        super().close()


def is_late(error: BaseException) -> bool:
    """Whether an exception of these libraries means that no answer came in time."""
    return any(
        isinstance(cause, _TIME_OUTS) and not isinstance(cause, _REFUSED) for cause in chain(error)
    )


def why_no_answer(error: BaseException) -> str:
    """What a message says after the name of a server that gave no answer."""
    if is_late(error):
        return "did not answer in time"
    *_, last = causes = list(chain(error))  # the innermost says most
    if any(isinstance(cause, _MALFORMED) for cause in causes):
        return "cannot be reached: an address is malformed, its own or that of a proxy"
    return f"cannot be reached: {str(last) or type(last).__name__}"


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, and what caused it, down to the bottom."""
    cause: object = error
    while isinstance(cause, BaseException):
        yield cause
        cause = cause.__cause__ or cause.__context__ or getattr(cause, "reason", None)
