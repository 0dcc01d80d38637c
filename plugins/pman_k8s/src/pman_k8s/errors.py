"""The plugin's exceptions, and the mapping of the API server's answers and the client's errors.

``RefusedError`` and its kinds are for this plugin alone: the caller knows what a refusal means
there. What no client of pman can mend becomes ``EngineUnavailableError`` here.

API reference, Status; codes as in ``staging/src/k8s.io/apimachinery/pkg/api/errors``.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import urllib3.exceptions
from kubernetes.client import ApiException
from kubernetes.config import ConfigException

from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_core.kit.engine_http import why_no_answer

log = logging.getLogger(__name__)

#: What the authorizer says; an admission plugin uses other words.
_NOT_ALLOWED = re.compile(r'cannot (\S+) resource "(\S+)" in API group "(\S*)"')

#: Words of transient refusals: a quota that is used up or not counted yet, a namespace that is
#: being deleted, a server that has just started.
_TRANSIENT = (
    "exceeded quota",
    "status unknown for quota",
    "being terminated",
    "not yet ready to handle request",
)

#: Seconds, where a server that is overloaded names none.
_RETRY_AFTER_S = 1.0


class RefusedError(Exception):
    """The API server answered with an error.

    :param code: the status code of HTTP.
    :param words: the server's message.
    """

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class NotFoundError(RefusedError):
    """There is no such object, or not any more (404)."""


class ConflictError(RefusedError):
    """There is an object of that name, or it has been changed since it was read (409)."""


class ExpiredError(RefusedError):
    """The next page of a list is no longer there (410)."""


class UnauthorizedError(RefusedError):
    """The server does not accept the credentials (401)."""


class ForbiddenError(EngineUnavailableError):
    """pman's account lacks a permission, which the operator can grant (403)."""


@contextlib.contextmanager
def engine_errors(address: Callable[[], str]) -> Iterator[None]:
    """Map every exception of the client's libraries.

    :param address: gives the server's address, which may be known only after a request.
    :raises EngineUnavailableError: the server did not answer, or not in time, or pman does not
        know how to reach it.
    """
    try:
        yield
    except ApiException as error:  # of the library's own request to an issuer of tokens
        raise EngineUnavailableError(
            f"the API server at {address()} cannot be spoken to: {error.reason}"
        ) from error
    except ConfigException as error:
        raise EngineUnavailableError(f"the kubeconfig cannot be used: {error}") from error
    except (
        urllib3.exceptions.HTTPError,
        json.JSONDecodeError,
        UnicodeDecodeError,
        OSError,
    ) as error:
        raise EngineUnavailableError(
            f"the API server at {address()} {why_no_answer(error)}"
        ) from error
    except ValueError as error:  # of http.client, which quotes the whole header
        raise EngineUnavailableError(
            f"the API server at {address()} cannot be asked: the token, or a password, holds a "
            "newline or another character that no header can carry"
        ) from error


@contextlib.contextmanager
def refusal_errors(what: str) -> Iterator[None]:
    """Map refusals of requests that the server has no reason to refuse.

    :param what: what could not be done, for a person.
    :raises EngineUnavailableError: the server refused it.
    """
    try:
        yield
    except RefusedError as refused:
        raise EngineUnavailableError(f"{what}: {refused}") from refused


@functools.lru_cache(maxsize=1000)
def warn_once(message: str) -> None:
    """Log a warning that stays true, such as a missing permission, once for each process."""
    log.warning("%s", message)


def raise_for(code: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise the exception for an answer that is an error; do nothing for any other.

    :raises RefusedError: or one of its kinds.
    :raises EngineUnavailableError: the server cannot serve now; ``ForbiddenError`` where pman lacks
        a permission.
    """
    if code < 400:
        return
    status = _status(body)
    if code == 404 and not status:
        raise EngineUnavailableError(
            "something before the API server answers 404 in its place; where does the kubeconfig "
            "lead to?"
        )
    words = _words(status) or body.decode(errors="replace").strip() or f"HTTP {code}"
    if code == 401:
        raise UnauthorizedError(code, words)
    lacking = missing_permission(words) if code == 403 else None
    if lacking:
        raise ForbiddenError(f"pman is not allowed to {lacking}: {words}")
    if code == 429 or code >= 500:
        # etcd's limit of a request comes out as a server's error.
        if "request is too large" in words:
            raise RefusedError(413, words)
        asked = headers.get("Retry-After") or (status.get("details") or {}).get("retryAfterSeconds")
        again = float(str(asked)) if str(asked or "").isdigit() else None
        raise EngineUnavailableError(
            f"the API server cannot serve now ({code}): {words}",
            retry_after_s=again or (_RETRY_AFTER_S if code == 429 else None),
        )
    kinds: dict[int, type[RefusedError]] = {
        404: NotFoundError,
        409: ConflictError,
        410: ExpiredError,
    }
    raise kinds.get(code, RefusedError)(code, words)


def missing_permission(words: str) -> str | None:
    """The permission that is missing, as in a rule of a Role; ``None`` if the words are others."""
    found = _NOT_ALLOWED.search(words)
    if not found:
        return None
    verb, resource, group = found.groups()
    return f"{verb} {resource}" + (f" ({group})" if group else "")


def create_error(refused: RefusedError) -> InvalidJobError | EngineUnavailableError:
    """The error of a job whose Job the server refused.

    Transient refusals, and those for the namespace or the credentials, are not the job's fault.
    """
    words = str(refused)
    if refused.code in (401, 404) or any(cause in words for cause in _TRANSIENT):
        return EngineUnavailableError(f"the cluster takes no job now: {words}")
    return InvalidJobError(f"the API server refused the job: {words}")


def _status(body: bytes) -> dict[str, Any]:
    """The Status object of an error; empty if there is none: a proxy may answer anything."""
    with contextlib.suppress(ValueError):
        found = json.loads(body)
        if isinstance(found, dict) and found.get("kind") == "Status":
            return found
    return {}


def _words(status: Mapping[str, Any]) -> str:
    """The message, field by field where the server says which fields are wrong."""
    causes = (status.get("details") or {}).get("causes") or ()
    fields = [
        f"{cause['field']}: {cause['message']}"
        for cause in causes
        if cause.get("field") and cause.get("message")
    ]
    return "; ".join(fields) or str(status.get("message") or "")
