"""Talks to a running pman."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import SplitResult, quote, urlsplit

import attrs
import click

from pman_core.cli.text import one_line
from pman_core.contract.errors import UnauthenticatedError
from pman_core.contract.info import Status
from pman_core.kit.names import jid_fault
from pman_core.kit.settings import joined

DEFAULT_URL = "http://127.0.0.1:5010/api/v1/"

#: Seconds to wait for a connection, and for an answer: as long as pfcon does.
_TIMEOUT_S = (10, 100)

#: What a header can hold of a token.
_IN_HEADERS = re.compile(r"[!-~]+")

#: The words of OpenSSL in an error of requests.
_REASON = re.compile(r"certificate [a-z ]+(: [^(]+[^( ])?")

#: Where requests looks for the authorities to trust, in this order.
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

Answer = dict[str, Any]
Command = TypeVar("Command", bound=Callable[..., Any])


@attrs.frozen
class _Bearer:
    """Shows a token with each request."""

    token: str = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        if not _IN_HEADERS.fullmatch(self.token):
            raise ServerError("PMAN_TOKEN is no token: it holds blanks or other signs")

    def __call__(self, request: Any) -> Any:
        """Add the header; requests drops it where a redirect leads to another host."""
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class ServerError(click.ClickException):
    """What pman answered instead of doing as it was asked."""


class NoAnswerError(ServerError):
    """pman, or its engine, is not there now; it may be back soon."""


class Client:
    """The REST interface of one pman.

    Every method raises :class:`ServerError` if it cannot be done.
    """

    def __init__(self, url: str) -> None:
        import requests

        split = urlsplit(url)
        self.url = split._replace(path=f"{split.path.rstrip('/') or '/api/v1'}/").geturl()
        self._shown = split._replace(netloc=split.netloc.rpartition("@")[2]).geturl()
        self._session = requests.Session()
        token = os.environ.get("PMAN_TOKEN")
        if token:
            self._session.auth = _Bearer(token)
        if _is_loopback(split):
            # A proxy would look for pman on its own loopback interface, not on ours.
            self._session.trust_env = False
            bundles = (os.environ.get(name) for name in _BUNDLES)
            self._session.verify = next(filter(None, bundles), True)

    def submit(self, request: Mapping[str, Any]) -> Answer:
        """Ask for a job; the request has the words of the wire."""
        return self._ask("POST", "", json=request)

    def job(self, jid: str) -> Answer:
        """One job, without its logs."""
        return self._ask("GET", _path(jid), params={"logs": "no"})

    def logs(self, jid: str) -> str:
        """The end of a job's logs."""
        return str(self._ask("GET", _path(jid)).get("logs", ""))

    def cancel(self, jid: str) -> Answer:
        """End a job, and keep it."""
        return self._ask("POST", f"{_path(jid)}cancel/")

    def remove(self, jid: str) -> None:
        """End and delete a job."""
        self._ask("DELETE", _path(jid))

    def jobs(self, status: Status | None, labels: Sequence[str]) -> Iterator[Answer]:
        """All jobs with this status, if any, and these labels; page after page."""
        query = [("label", label) for label in labels]
        if status:
            query.append(("status", status.value))
        cursor: list[tuple[str, str]] = []
        while True:
            page = self._ask("GET", "jobs/", params=query + cursor)
            yield from page.get("jobs", ())
            if page.get("next") is None:
                return
            cursor = [("cursor", page["next"])]

    def _ask(self, method: str, path: str, **what: Any) -> Answer:
        import requests

        try:
            response = self._session.request(method, self.url + path, timeout=_TIMEOUT_S, **what)
        except requests.exceptions.SSLError as error:
            raise ServerError(
                f"{self._shown} cannot be trusted, or wants another certificate: {_reason(error)}; "
                "REQUESTS_CA_BUNDLE names the file of a private authority"
            ) from error
        except requests.ConnectionError as error:
            raise NoAnswerError(
                f"no pman answers at {self._shown}; is `pman serve` running there?"
            ) from error
        except requests.Timeout as error:
            raise NoAnswerError(f"pman at {self._shown} did not answer in time") from error
        except requests.RequestException as error:
            raise ServerError(f"{self._shown} cannot be asked: {type(error).__name__}") from error
        if response.status_code == 204:
            return {}
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if response.ok and isinstance(answer, dict):
            return answer
        kind = NoAnswerError if response.status_code in (502, 503, 504) else ServerError
        if response.status_code == 401 and _message(answer) in (None, str(UnauthenticatedError())):
            raise ServerError(f"{self._shown} needs a valid token: set PMAN_TOKEN")
        raise kind(_message(answer) or self._stranger(response.status_code))

    def _stranger(self, status_code: int) -> str:
        return (
            f"{self._shown} answered {status_code}, and not in the words of pman; "
            "is this the address of a pman?"
        )


def _message(answer: Any) -> str | None:
    """What an answer says is wrong; faults of several fields one per line."""
    message = answer.get("message") if isinstance(answer, dict) else None
    if isinstance(message, dict):
        faults = joined(one_line(f"{field}: {fault}") for field, fault in message.items())
        return f"pman refuses this request:\n{faults}"
    return one_line(message.removeprefix("404: ")) if isinstance(message, str) else None


def _reason(error: Exception) -> str:
    """What OpenSSL says is wrong with the other side's certificate."""
    found = _REASON.search(str(error))
    return found[0] if found else "TLS failed"


def _path(jid: str) -> str:
    return f"{quote(jid, safe='')}/"


def _is_loopback(split: SplitResult) -> bool:
    try:
        return ipaddress.ip_address(split.hostname or "").is_loopback
    except ValueError:
        return split.hostname == "localhost"


# ------------------------------------------------- what the commands share


def _client(ctx: click.Context, param: click.Parameter, url: str) -> Client:
    split = urlsplit(url)
    if split.scheme not in ("http", "https") or not split.hostname:
        raise click.BadParameter("must be like http://host:5010/api/v1/", ctx, param)
    return Client(url)


def client_option(command: Command) -> Command:
    """Give a command the option ``--url``, and the argument ``client``."""
    option = click.option(
        "--url",
        "client",
        envvar="PMAN_URL",
        default=DEFAULT_URL,
        show_default=True,
        show_envvar=True,
        callback=_client,
        help="Address of the running pman.",
    )
    return option(command)


def jid_type(value: str) -> str:
    """The type of an argument that is a job's id; others would be other places in a URL."""
    fault = jid_fault(value)
    if fault:
        raise click.BadParameter(f"a job's id {fault}")
    return value
