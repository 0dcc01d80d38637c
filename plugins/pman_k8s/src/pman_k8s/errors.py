"""The plugin's exceptions, and the mapping of the API server's answers and the client's errors.

``RefusedError`` and its kinds are for this plugin alone: the caller knows what a refusal means
there. What no client of pman can mend becomes ``EngineUnavailableError`` here.

API reference, Status; codes as in ``staging/src/k8s.io/apimachinery/pkg/api/errors``.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import urllib3.exceptions
from kubernetes.client import ApiException
from kubernetes.config import ConfigException

from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_core.kit.engine_http import why_no_answer

#: How the authorizer says no; an admission plugin says it otherwise.
_NOT_ALLOWED = re.compile(r'cannot (\S+) resource "(\S+)" in API group "(\S*)"')

#: What an API server says of a moment, though with the code of a refusal: of a quota that is used
#: up or not counted yet, a namespace that is being deleted, and a server that has just started.
_PASSING = (
    "exceeded quota",
    "status unknown for quota",
    "being terminated",
    "not yet ready to handle request",
)

#: Seconds, where a server that is overloaded names none.
_RETRY_AFTER_S = 1.0


class RefusedError(Exception):
    """The API server answered, and said no."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class NotFoundError(RefusedError):
    """There is no such object, or not any more."""


class ConflictError(RefusedError):
    """There is an object of that name, or it has been changed since it was read."""


class ExpiredError(RefusedError):
    """A list cannot be gone on with."""


class UnauthorizedError(RefusedError):
    """The credentials are not accepted."""


class ForbiddenError(EngineUnavailableError):
    """pman's account lacks a permission, which the operator can give it."""


@contextlib.contextmanager
def engine_errors(address: Callable[[], str]) -> Iterator[None]:
    """Map every exception of the client's libraries.

    :param address: tells where the server is, which may be known only after it was looked for.

    :raises EngineUnavailableError: the server did not answer, or not in time, or pman does not
        know how to reach it.
    """
    try:
        yield
    except ApiException as error:  # the client's word for certificates that do not fit
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
def refusal_errors(told: str) -> Iterator[None]:
    """For what the server must not refuse: whoever asked can only ask again.

    :param told: what could not be done, for a person.

    :raises EngineUnavailableError: the server refused it.
    """
    try:
        yield
    except RefusedError as refused:
        raise EngineUnavailableError(f"{told}: {refused}") from refused


def raise_for(code: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise what an answer means that is an error.

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
    """The permission that is missing, as a rule of a Role has it; ``None`` if it is not that."""
    found = _NOT_ALLOWED.search(words)
    if not found:
        return None
    verb, resource, group = found.groups()
    return f"{verb} {resource}" + (f" ({group})" if group else "")


def create_error(refused: RefusedError) -> InvalidJobError | EngineUnavailableError:
    """What the refusal of a new Job means.

    Some pass with time; the namespace and the credentials are the operator's.
    """
    words = str(refused)
    if refused.code in (401, 404) or any(passing in words for passing in _PASSING):
        return EngineUnavailableError(f"the cluster takes no job now: {words}")
    return InvalidJobError(f"the API server refused the job: {words}")


def _status(body: bytes) -> dict[str, Any]:
    """The Status that an error comes with; a proxy between may send anything."""
    with contextlib.suppress(ValueError):
        found = json.loads(body)
        if isinstance(found, dict) and found.get("kind") == "Status":
            return found
    return {}


def _words(status: Mapping[str, Any]) -> str:
    """Field by field where the server says which fields are wrong."""
    causes = (status.get("details") or {}).get("causes") or ()
    fields = [
        f"{cause['field']}: {cause['message']}"
        for cause in causes
        if cause.get("field") and cause.get("message")
    ]
    return "; ".join(fields) or str(status.get("message") or "")
