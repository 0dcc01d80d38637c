"""Which status code an error has: the only module that knows."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from pman_core.contract import errors
from pman_core.kit.printable import escaped

log = logging.getLogger(__name__)

#: A path that can be no other host: it has single slashes only.
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")

STATUS: dict[type[errors.PmanError], int] = {
    errors.InvalidJobError: 400,
    errors.UnsupportedError: 400,
    errors.UnknownJobError: 404,
    errors.JobExistsError: 409,
    errors.NameTakenError: 409,
    errors.UnauthenticatedError: 401,
    errors.ForbiddenError: 403,
    errors.TooManyRequestsError: 429,
    errors.PluginFaultError: 500,
    errors.EngineUnavailableError: 503,
}


def install_error_handlers(app: Flask) -> None:
    """Make every error of ``app`` an answer of the form ``{"message": ...}``."""
    app.register_error_handler(errors.PmanError, _pman_error)
    app.register_error_handler(HTTPException, _http_error)
    app.after_request(_keep_prefix)


def _pman_error(error: errors.PmanError) -> Response:
    code = status_of(error)
    faults = error.faults if isinstance(error, errors.ClientError) else {}
    listed = {escaped(field): escaped(text) for field, text in faults.items()}
    answer = jsonify(message=listed or words(code, str(error), request.method, request.path))
    answer.status_code = code
    for name, value in error_headers(error):
        answer.headers.add(name, value)
    return answer


def status_of(error: errors.PmanError) -> int:
    """The status code of an error."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def error_headers(error: errors.PmanError) -> Iterator[tuple[str, str]]:
    """The headers that an error needs besides."""
    if isinstance(error, errors.UnauthenticatedError):
        yield "WWW-Authenticate", 'Bearer realm="pman"'
        yield "WWW-Authenticate", 'Basic realm="pman", charset="UTF-8"'
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        yield "Retry-After", str(math.ceil(retry_after_s))


def _keep_prefix(answer: Response) -> Response:
    """Redirect below the path under which a proxy offers pman.

    The proxy says so in ``X-Forwarded-Prefix``. It changes only what its own sender gets.
    """
    prefix = request.headers.get("X-Forwarded-Prefix", "").rstrip("/")
    if "Location" in answer.headers and _PREFIX.fullmatch(prefix):
        split = urlsplit(answer.headers["Location"])
        answer.headers["Location"] = split._replace(path=prefix + split.path).geturl()
    return answer


def words(code: int, message: str, method: str, path: str) -> str:
    """The message of an error, in answer to a request of that method and path.

    CUBE looks for "404" in it to learn that a job that it has removed is gone; without it, it
    tries for two days. So no other failure of a removal may hold it by chance, in a port or an id:
    the job would run on, and no client would try again.
    """
    if code == 404:
        return escaped(f"404: {message}")
    if method == "DELETE" and "404" in message:
        log.warning("%s was not removed: %s", path, message)
        return "the job could not be removed; try again later; pman's log says why"
    return escaped(message)


def _http_error(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:
        return error
    message = words(error.code, error.description or "", request.method, request.path)
    answer = jsonify(message=message)
    answer.status_code = error.code
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            answer.headers[name] = value
    return answer
