"""Maps what goes wrong between pman and Cromwell, or the shared storage, to pman's errors."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator

import requests

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.engine_http import is_late, why_no_answer


class RefusedError(EngineUnavailableError):
    """Cromwell refused a call. A caller that expects a refusal catches this."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.words = message
        super().__init__(f"Cromwell refused what pman asked ({code}): {message}")


@contextlib.contextmanager
def engine_errors(url: str) -> Iterator[None]:
    """Errors of ``requests`` as ours; a ``RefusedError`` goes through unchanged.

    The messages of ``requests`` name the address and never what was sent.

    :raises EngineUnavailableError: no answer, or none that makes sense.
    """
    try:
        yield
    except (requests.Timeout, requests.ConnectionError, TimeoutError) as error:
        what = "did not answer in time" if is_late(error) else "cannot be reached"
        raise EngineUnavailableError(f"Cromwell at {url} {what}") from error
    except requests.exceptions.InvalidURL as error:
        raise EngineUnavailableError(f"Cromwell at {url} {why_no_answer(error)}") from error
    except (requests.RequestException, ValueError) as error:
        raise EngineUnavailableError(
            f"Cromwell at {url} gave an unexpected answer: {error!s:.500}"
        ) from error


def check(answer: requests.Response) -> None:
    """Return if the call succeeded.

    :raises RefusedError: Cromwell refused; with its message.
    :raises EngineUnavailableError: the server cannot answer now.
    """
    if answer.status_code < 400:
        return
    message = _message(answer)
    if answer.status_code >= 500 or answer.status_code in (408, 429):
        raise EngineUnavailableError(
            f"Cromwell cannot serve now ({answer.status_code}): {message}",
            retry_after_s=_seconds(answer.headers.get("Retry-After")),
        )
    raise RefusedError(answer.status_code, message)


@contextlib.contextmanager
def storage_errors(folder: str) -> Iterator[None]:
    """Errors of the shared folder as ours.

    :raises EngineUnavailableError: it cannot be read or written.
    """
    try:
        yield
    except OSError as error:
        raise EngineUnavailableError(
            f"the jobs folder {folder} cannot be used: {error.strerror or error}"
        ) from error


def _message(answer: requests.Response) -> str:
    """Cromwell's ``message``; of other servers in between, the beginning of their answer."""
    with contextlib.suppress(ValueError):
        content = json.loads(answer.text)
        if isinstance(content, dict) and isinstance(content.get("message"), str):
            return without_payload(str(content["message"]))[:1000]
    return without_payload(answer.text.strip())[:200]


def without_payload(text: str) -> str:
    """A message of Cromwell, which may quote an input: what looks like our base64 is cut out."""
    return re.sub(r"ey[IJ][A-Za-z0-9+/=]{8,}|[A-Za-z0-9+/=]{40,}", "...", text)


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isdecimal() else None
