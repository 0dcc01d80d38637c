"""What the server itself refuses, before a request reaches a route: JSON like every error."""

from __future__ import annotations

import json
from http import HTTPStatus

import attrs

from pman_core.contract.errors import PmanError
from pman_core.rest.errors import error_headers, status_of, words


@attrs.frozen
class RefusalError(Exception):
    """An answer in place of the application's.

    :param hangs_up: whether the connection ends at once. Where a client may still be sending, that
        could cost it the answer.
    :param more_headers: names and values of headers that this answer has besides.
    """

    status: HTTPStatus
    message: str
    hangs_up: bool = True
    more_headers: tuple[tuple[str, str], ...] = ()

    def body(self) -> bytes:
        """The answer's body."""
        return json.dumps({"message": self.message}).encode() + b"\n"

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The answer's headers."""
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self.body())).encode()),
            *((name.lower().encode(), value.encode()) for name, value in self.more_headers),
        ]
        return [*headers, (b"connection", b"close")] if self.hangs_up else headers

    def on_the_wire(self) -> bytes:
        """The whole answer, for a connection on which no request was understood."""
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}".encode()]
        lines += [name + b": " + value for name, value in self.headers()]
        return b"\r\n".join([*lines, b"", self.body()])


def not_let_in(error: PmanError, method: str, path: str) -> RefusalError:
    """It is not known who sends a request, or who sends it may not."""
    code = status_of(error)
    return RefusalError(
        HTTPStatus(code),
        words(code, str(error), method, path),
        hangs_up=False,
        more_headers=tuple(error_headers(error)),
    )


def headers_late(seconds: float) -> RefusalError:
    """The headers of a request did not come in time."""
    return RefusalError(
        HTTPStatus.REQUEST_TIMEOUT, f"the headers of the request did not come within {seconds:g} s"
    )


def body_late(seconds: float) -> RefusalError:
    """The body of a request did not come in time."""
    return RefusalError(
        HTTPStatus.REQUEST_TIMEOUT, f"the body of the request did not come within {seconds:g} s"
    )


def headers_too_large(most: int) -> RefusalError:
    """The request line and the headers are longer than any client needs."""
    return RefusalError(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        f"the request line and the headers must not be longer than {most} bytes together",
    )


def body_too_large(most: int) -> RefusalError:
    """The body is longer than MAX_BODY_BYTES."""
    return RefusalError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is longer than {most} bytes, the most that this server reads",
        hangs_up=False,
    )


def too_many_large_bodies() -> RefusalError:
    """Other clients are sending large bodies just now."""
    return RefusalError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "other requests with large bodies are being read just now; repeat the request later",
        hangs_up=False,
    )


def not_http() -> RefusalError:
    """What came is no request."""
    return RefusalError(HTTPStatus.BAD_REQUEST, "that is no valid HTTP request")
