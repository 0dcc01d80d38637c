"""Maps the exceptions of the engine's client; no other module knows both sides.

``RefusedError`` and its kinds stay inside the plugins: the caller knows what a refusal means. An
engine that does not answer is an ``EngineUnavailableError``.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
from collections.abc import Iterator

import docker.errors
import requests
import requests.exceptions
import urllib3.exceptions

from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_core.kit.causes import Cause, passing_cause
from pman_core.kit.engine_http import chain, why_no_answer
from pman_docker.init import NO_INIT
from pman_docker.socket_access import who_may_use

#: Docker 20.10 to 28, of a version beyond those that it takes; Podman 4.3 to 5.8 takes any.
_OTHER_VERSION = re.compile(r"client version \S+ is too (new|old)")


#: What engines say of a part of a volume that they cannot mount, up to the cause if there is one.
#: They quote a directory of the job, which may be called "timed out".
_OF_DIRECTORY = re.compile(
    # Docker 26, 28
    r"^((cannot access path|error while resolving symlinks in) .*: "
    r"|path concatenation escapes the base directory.*"
    r'|subpath ".*" is outside of the volume.*'  # Podman 5.4
    r"|securejoin\.OpenInRoot .*: )",  # Podman 5.8
    re.DOTALL,
)


class RefusedError(Exception):
    """The engine answered, and said no."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class NotFoundError(RefusedError):
    """There is no such container, volume or object."""


class NotRecordedError(EngineUnavailableError):
    """The engine did not record how a job ended; the end is not decided before it does."""


class ImageMissingError(RefusedError):
    """The engine does not have the image."""


class NameInUseError(RefusedError):
    """Another container has that name."""


@contextlib.contextmanager
def engine_errors(address: str) -> Iterator[None]:
    """Map every exception of the client's libraries.

    :raises RefusedError: the engine answered with an error.
    :raises EngineUnavailableError: it did not answer, or not in time.
    """
    try:
        yield
    except docker.errors.APIError as error:
        raise refusal(error.status_code or 500, str(error.explanation or error)) from error
    except (
        UnicodeDecodeError,
        docker.errors.DockerException,
        docker.errors.StreamParseError,
        http.client.HTTPException,
        json.JSONDecodeError,
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        urllib3.exceptions.ProxySchemeUnsupported,
        OSError,
    ) as error:
        raise EngineUnavailableError(f"the engine at {address} {_why(error, address)}") from error


@contextlib.contextmanager
def query_errors(address: str, *, may_lack: bool = False) -> Iterator[None]:
    """For queries, which an engine has no reason to refuse; the caller can only ask again.

    :param may_lack: whether one thing is looked for, which may not be there.
    :raises NotFoundError: there is no such thing; ``ImageMissingError`` of an image.
    :raises EngineUnavailableError: the engine did not answer, or does not know now.
    """
    try:
        with engine_errors(address):
            yield
    except RefusedError as refused:
        if may_lack and isinstance(refused, (NotFoundError, ImageMissingError)):
            raise
        message = f"the engine at {address} does not know now: {refused}"
        raise EngineUnavailableError(message) from refused


@contextlib.contextmanager
def login_errors() -> Iterator[None]:
    """For what reads the files of Docker's own client: the SDK maps no error of an entry.

    :raises EngineUnavailableError: an entry has a form that none can have.
    """
    try:
        yield
    except json.JSONDecodeError:
        raise  # of an answer: of its files, the SDK skips what is no JSON
    except ValueError as error:
        raise EngineUnavailableError(
            "a login in config.json of Docker's client (in the folder DOCKER_CONFIG, or in "
            f"~/.docker) cannot be read: {type(error).__name__}; log in anew, or remove it"
        ) from error


def refusal(code: int, words: str) -> RefusedError:
    """The kind of refusal that an answer is; Podman has one code for nearly everything.

    Words as of Docker 20.10 to 28 and Podman 4.3.
    """
    low = words.lower()
    if _OF_DIRECTORY.match(words):  # its 404 is not of the container
        return RefusedError(code, words)
    if "already in use" in low and "name" in low:
        return NameInUseError(code, words)
    if "no such image" in low or "image not known" in low:
        return ImageMissingError(code, words)
    # Podman answers 500 where a container goes away while it is looked at, Docker 409 where one is
    # removed while it is started.
    if code == 404 or "no such container" in low or "is marked for removal" in low:
        return NotFoundError(code, words)
    return RefusedError(code, words)


def transient_cause(refused: RefusedError) -> Cause | None:
    """Why a container cannot be created or started *now*; ``None`` if that is final.

    Such a refusal says nothing of the job.
    """
    if refused.code < 500:
        return None
    words = without_directory(str(refused))
    return NO_INIT if NO_INIT.words.search(words) else passing_cause(words)


def without_directory(words: str) -> str:
    """The engine's words without the directory of a job that they quote."""
    return _OF_DIRECTORY.sub("", words)


def submission_error(refused: RefusedError) -> InvalidJobError | EngineUnavailableError:
    """What a refusal to create a container means: Podman has one code for nearly everything."""
    cause = transient_cause(refused)
    if cause:
        return EngineUnavailableError(
            f"the engine cannot create containers now: {cause.wording} ({refused})"
        )
    return InvalidJobError(f"the engine refused the job: {refused}")


def is_other_version(error: docker.errors.APIError) -> bool:
    """Whether the engine refused a call since it does not take that version of its API."""
    return error.status_code == 400 and _OTHER_VERSION.search(str(error.explanation)) is not None


def accepted(answer: requests.Response) -> requests.Response:
    """An answer that is no error.

    :raises docker.errors.APIError: it is one; ``engine_errors`` maps it.
    """
    if not answer.ok:
        raise docker.errors.APIError(str(answer.status_code), answer, _words(answer))
    return answer


def _words(answer: requests.Response) -> str:
    """What the engine says of an error: both put it under ``message``."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text.strip()


def _why(error: BaseException, address: str) -> str:
    """What a message says after the address of an engine that gave no answer."""
    socket = address.removeprefix("unix://")
    if socket != address and any(isinstance(cause, PermissionError) for cause in chain(error)):
        return f"cannot be reached: {who_may_use(socket)}"
    if any(isinstance(cause, FileNotFoundError) for cause in chain(error)):
        return f"{why_no_answer(error)}; if it listens elsewhere, set DOCKER_HOST to its address"
    return why_no_answer(error)
