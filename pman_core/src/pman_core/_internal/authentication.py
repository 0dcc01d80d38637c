"""Finds out who sent a request: by pman's own tokens, or by what plugins know."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pluggy

from pman_core._internal.observers import each_plugin
from pman_core._internal.rate import Rate
from pman_core._internal.tokens import Token, TokenFile
from pman_core.contract.access import UNRESTRICTED, Client, Principal, Role
from pman_core.contract.errors import (
    AccessError,
    EngineUnavailableError,
    PluginFaultError,
    SettingsError,
    TooManyRequestsError,
    UnauthenticatedError,
)
from pman_core.kit.core_settings import CoreSettings

log = logging.getLogger(__name__)

#: How many seconds' worth of requests may come at once.
_BURST_S = 1.0

_ADD = "set AUTH_TOKENS_FILE (`pman token new NAME` makes a token)"

_ASK = f"{_ADD}, or AUTH=none"

_LOCAL_ONLY = (
    "this pman serves its own machine only, since it knows no tokens; its operator must set up "
    "some before it serves others"
)


class Authenticator:
    """Decides for each request who sent it.

    :raises SettingsError: the file of tokens cannot be used.
    """

    def __init__(self, settings: CoreSettings, manager: pluggy.PluginManager) -> None:
        self._plugins = each_plugin(manager, "pman_authenticate")
        file = settings.auth_tokens_file
        self._tokens = TokenFile(Path(file)) if file else None
        self._is_off = settings.auth == "none"
        limit = settings.requests_per_second
        self._rate = Rate(limit, _BURST_S) if limit else None
        problems = list(self._contradictions(settings))
        if problems:
            raise SettingsError(problems)

    @property
    def tokens(self) -> tuple[Token, ...]:
        """The tokens that are known now."""
        return self._tokens.tokens if self._tokens else ()

    @property
    def plugins(self) -> tuple[str, ...]:
        """The plugins that know who asks."""
        return tuple(name for name, _ in self._plugins)

    @property
    def is_off(self) -> bool:
        """Whether the operator said that everybody may do everything."""
        return self._is_off

    @property
    def is_local_only(self) -> bool:
        """Whether nothing is set up, so that pman serves its own machine only."""
        return not (self._is_off or self._tokens or self._plugins)

    def known(self, client: Client) -> Principal | None:
        """Who sent a request, where that is known without asking a plugin."""
        if self._is_off:
            return UNRESTRICTED
        if self.is_local_only:
            return UNRESTRICTED if is_loopback(client.address) else None
        token = token_of(client.headers.get("authorization", ""))
        return self._tokens.principal(token) if self._tokens and token else None

    def asks_plugins(self, client: Client) -> bool:
        """Whether plugins are asked who sent a request, which may take their time."""
        return bool(self._plugins) and self.known(client) is None

    def principal(self, client: Client) -> Principal:
        """Who sent a request.

        :raises UnauthenticatedError: nobody who is known.
        :raises TooManyRequestsError: somebody who asks too often.
        :raises EngineUnavailableError: what a plugin has to ask does not answer.
        :raises PluginFaultError: a plugin failed.
        """
        found = self.known(client) or self._by_plugins(client)
        if found is None:
            raise self.unknown()
        wait_s = self._rate.wait_s(found.name) if self._rate and found.name else 0.0
        if self._rate and wait_s:
            raise TooManyRequestsError(
                f"{found.name} sent more than {self._rate.per_second:g} requests a second to this "
                "process of pman; repeat this one later",
                wait_s,
            )
        return found

    def unknown(self) -> UnauthenticatedError:
        """What is answered to whom pman does not know."""
        return UnauthenticatedError(_LOCAL_ONLY) if self.is_local_only else UnauthenticatedError()

    def _by_plugins(self, client: Client) -> Principal | None:
        for name, ask in self._plugins:
            found = _answer(name, ask, client)
            if found:
                return found
        return None

    def _contradictions(self, settings: CoreSettings) -> Iterator[str]:
        if self._is_off and self._plugins:
            names = ", ".join(self.plugins)
            yield f"AUTH=none contradicts what authenticates requests: {names}"
        if self.is_local_only and settings.jobs_visible_to == "owner":
            yield f"JOBS_VISIBLE_TO=owner needs to know who asks: {_ADD}"
        if self.is_local_only and settings.requests_per_second:
            yield f"REQUESTS_PER_SECOND needs to know who asks: {_ADD}"


def _answer(name: str, ask: Callable[..., Any], client: Client) -> Principal | None:
    try:
        answers = ask(client=client)
    except (AccessError, EngineUnavailableError):
        raise
    except Exception as error:
        # Neither its words nor its frames: both may hold what the client sent.
        log.error("authentication by %s failed: %s", name, type(error).__name__)
        raise PluginFaultError(f"authentication by {name} failed; pman's log says more") from None
    found = next((answer for answer in answers if answer is not None), None)
    if found is None or _is_sound(found):
        return found
    raise PluginFaultError(f"authentication by {name} did not return a principal with a name")


def _is_sound(found: Any) -> bool:
    """Whether a plugin answered a principal, which has a name of text and a role of pman's."""
    return (
        isinstance(found, Principal)
        and isinstance(found.role, Role)
        and isinstance(found.name, str)
        and bool(found.name)
    )


def token_of(authorization: str) -> str | None:
    """The token of a header: that of Bearer, or the password of Basic; its user is not looked at.

    The one client of many sites can carry credentials only in an address (``http://user:token@``).
    """
    scheme, _, rest = authorization.strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer":
        return rest or None
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(rest, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        return pair.partition(":")[2] or None
    return None


def is_loopback(address: str | None) -> bool:
    """Whether an address is of this machine alone."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def refuse_to_listen(authenticator: Authenticator, address: str) -> None:
    """:raises SettingsError: others could reach that address, and nothing is set up for them."""
    if authenticator.is_local_only and not is_loopback(address):
        raise SettingsError(
            [
                f"AUTH: anybody who reaches {address} could run any program, since pman knows no "
                f"tokens: {_ASK} if only trusted clients reach it, or serve 127.0.0.1 only"
            ]
        )
