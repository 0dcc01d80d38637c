"""The hook ``pman_authenticate``: extensions that know who asks, and what their faults do."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import threading
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from access_helpers import OVER, Answer, Tokens, ask, bearer
from rest_helpers import URL, Service, body

from pman_core import hookimpl
from pman_core.contract.access import UNRESTRICTED, Client, Principal, Role
from pman_core.contract.errors import (
    EngineUnavailableError,
    ForbiddenError,
    InvalidJobError,
    SettingsError,
    TooManyRequestsError,
    UnauthenticatedError,
)
from pman_core.server import asgi

Start = Callable[..., Service]

ALICE = Principal("alice@example.org", Role.SUBMIT)
SECRET = "hush-hush"  # noqa: S105


@attrs.define(eq=False)
class Says:
    """Answers each question with what a function says, and counts them."""

    rule: Callable[[Client], Any]
    asked: int = 0

    @hookimpl
    def pman_authenticate(self, client: Client) -> Any:
        self.asked += 1
        return self.rule(client)


def says(answer: Any) -> Says:
    return Says(lambda client: answer)


def fails(error: BaseException) -> Says:
    def rule(client: Client) -> Any:
        raise error

    return Says(rule)


def jobs(service: Service, **how: Any) -> tuple[int, str]:
    answer = service.get("jobs/", **how)
    return answer.status_code, answer.text


# ------------------------------------------------------------------------- answers


def test_a_principal_is_let_in_with_its_name_and_its_role(start: Start) -> None:
    service = start(extensions=(says(ALICE),))
    assert (service.post().json or {})["owner"] == "alice@example.org"
    reader = start(extensions=(says(Principal("bob", Role.READ)),))
    assert jobs(reader)[0] == 200
    assert reader.post().status_code == 403


def test_whom_nobody_knows_is_refused_also_on_this_machine(start: Start) -> None:
    service = start(extensions=(says(None),))
    assert jobs(service)[0] == 401


def test_the_next_extension_is_asked_until_one_knows(start: Start) -> None:
    first, second, third = says(None), says(ALICE), says(Principal("other", Role.ADMIN))
    service = start(extensions=(first, second, third))
    assert (service.post().json or {})["owner"] == "alice@example.org"
    assert (first.asked, second.asked, third.asked) == (1, 1, 0)


def test_who_is_refused_by_one_extension_is_not_let_in_by_the_next(start: Start) -> None:
    second = says(ALICE)
    service = start(extensions=(fails(UnauthenticatedError()), second))
    assert jobs(service)[0] == 401
    assert second.asked == 0


def test_a_refusal_is_answered_as_a_wrong_token_is(start: Start, tokens: Tokens) -> None:
    tokens.add("a")
    by_plugin = start(extensions=(fails(UnauthenticatedError()),), **tokens.setting())
    by_token = start(**tokens.setting())
    assert jobs(by_plugin) == jobs(by_token, headers=bearer("wrong"))


def test_a_token_of_pmans_own_is_looked_at_first(start: Start, tokens: Tokens) -> None:
    token, expired = tokens.add("pfcon"), tokens.add("old", expires=OVER)
    plugin = says(ALICE)
    service = start(extensions=(plugin,), **tokens.setting())
    assert (service.post(headers=bearer(token)).json or {})["owner"] == "pfcon"
    assert plugin.asked == 0
    for shown in ({}, bearer("a JSON web token"), bearer(expired)):
        assert service.get("jobs/", headers=shown).status_code == 200
    assert plugin.asked == 3


@pytest.mark.parametrize(
    "answer",
    [
        *("alice", b"alice", True, 0, [], {}, object(), ("alice", Role.ADMIN), Role.ADMIN),
        *(UNRESTRICTED, Principal("", Role.READ), Principal("a", "admin")),  # type: ignore[arg-type]
        *(Principal(None, Role.READ), Principal(5, Role.READ)),  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_what_is_no_principal_lets_nobody_in(start: Start, answer: object) -> None:
    service = start(extensions=(says(answer), says(ALICE)))
    status, text = jobs(service)
    assert status == 500
    assert "of pman-extension0 1.0 did not return a principal with a name" in text
    assert service.post(body()).status_code == 500
    assert not service.engine.records


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnauthenticatedError(), 401),
        (ForbiddenError("not on Sundays"), 403),
        (TooManyRequestsError("slowly", 7), 429),
        (EngineUnavailableError("the directory does not answer"), 503),
        (InvalidJobError("no"), 500),
        (SettingsError(["no"]), 500),
        (RuntimeError(SECRET), 500),
        (KeyError(SECRET), 500),
        (TimeoutError(SECRET), 500),
        (ZeroDivisionError(), 500),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_an_extension_raises_lets_nobody_in_and_shows_nothing_of_the_request(
    start: Start, caplog: pytest.LogCaptureFixture, error: Exception, code: int
) -> None:
    service = start(extensions=(fails(error), says(ALICE)))
    with caplog.at_level(logging.DEBUG):
        answer = service.get("jobs/", headers=bearer(SECRET))
    assert answer.status_code == code
    assert SECRET not in answer.text
    for record in caplog.records:
        assert SECRET not in logging.Formatter().format(record)
    if code == 500:
        told = f"of pman-extension0 1.0 failed: {type(error).__name__}"
        assert any(line.endswith(told) for line in caplog.messages)


def test_headers_are_not_in_what_python_shows_of_a_client() -> None:
    assert SECRET not in repr(Client({"authorization": SECRET}, "10.0.0.1"))


# ------------------------------------------------------------------------- open routes


def test_no_extension_is_asked_whether_pman_is_alive(start: Start) -> None:
    """Else another server that is down would have pman restarted."""
    plugin = fails(EngineUnavailableError("the directory does not answer"))
    service = start(extensions=(plugin,))
    client = service.app.test_client()
    answers = [client.get(path, headers=bearer("x")) for path in ("/healthz", "/readyz", URL)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert plugin.asked == 0
    assert jobs(service)[0] == 503


# ------------------------------------------------------------------------- the example


@attrs.frozen
class Proxy:
    """Knows the users whom a proxy has let in, which names them in a header of its own."""

    trusted: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

    @hookimpl
    def pman_authenticate(self, client: Client) -> Principal | None:
        user = client.headers.get("x-remote-user")
        address = ipaddress.ip_address(client.address) if client.address else None
        if not user or address is None or not any(address in net for net in self.trusted):
            return None
        return Principal(user, Role.SUBMIT)


PROXY = Proxy((ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8")))


@pytest.mark.parametrize(
    ("address", "headers", "code"),
    [
        ("10.1.2.3", {"X-Remote-User": "alice"}, 201),
        ("fd00::1", {"X-Remote-User": "alice"}, 201),
        ("10.1.2.3", {}, 401),
        ("10.1.2.3", {"X-Remote-User": ""}, 401),
        ("10.2.0.1", {"X-Remote-User": "alice"}, 401),
        ("127.0.0.1", {"X-Remote-User": "alice"}, 401),
        ("10.2.0.1", {"X-Remote-User": "alice", "X-Forwarded-For": "10.1.2.3"}, 401),
    ],
)
def test_the_header_of_a_proxy_is_taken_from_its_own_addresses_only(
    start: Start, address: str, headers: dict[str, str], code: int
) -> None:
    service = start(extensions=(PROXY,))
    how: dict[str, Any] = {"environ_overrides": {"REMOTE_ADDR": address}}
    answer = service.post(headers=headers, **how)
    assert answer.status_code == code
    if code == 201:
        assert (answer.json or {})["owner"] == "alice"


# ------------------------------------------------------------------------- pman's own server


def sends(service: Service, path: str = f"{URL}jobs/", timeout_s: float = 20, **how: Any) -> Answer:
    """Send one request to the application of pman's own server."""
    serve = asgi.application(service.app, 1, timeout_s)
    return asyncio.run(ask(serve, "GET", path, how.pop("headers", {}), **how))


def test_pmans_own_server_shows_the_address_and_the_headers(start: Start) -> None:
    seen: list[Client] = []
    service = start(extensions=(Says(seen.append),))
    assert sends(service, headers={"X-Remote-User": "alice"}, address="10.1.2.3").status == 401
    assert seen[0].address == "10.1.2.3"
    assert seen[0].headers["x-remote-user"] == "alice"
    assert seen[0].certificate is None
    assert sends(start(extensions=(PROXY,)), address="10.1.2.3").status == 401
    known = sends(start(extensions=(PROXY,)), headers={"X-Remote-User": "a"}, address="10.1.2.3")
    assert known.status == 200


def test_an_extension_that_hangs_holds_neither_tokens_nor_open_routes_and_is_not_waited_for(
    start: Start, tokens: Tokens
) -> None:
    token = tokens.add("pfcon")
    may_answer = threading.Event()
    plugin = Says(lambda client: may_answer.wait(5) and None)
    service = start(extensions=(plugin,), **tokens.setting())
    serve = asgi.application(service.app, 1, 0.2)

    async def all_of_them() -> tuple[list[Answer], list[Answer]]:
        late = [asyncio.create_task(ask(serve, "GET", f"{URL}jobs/", {})) for _ in range(40)]
        while not plugin.asked:
            await asyncio.sleep(0)
        others = [
            await ask(serve, "GET", "/healthz", {}),
            await ask(serve, "GET", URL, {}),
            await ask(serve, "GET", f"{URL}jobs/", bearer(token)),
        ]
        try:
            return others, await asyncio.gather(*late)
        finally:
            may_answer.set()

    others, late = asyncio.run(all_of_them())
    assert [answer.status for answer in others] == [200] * 3
    assert {answer.status for answer in late} == {503}
    assert b"who asks could not be found out" in late[0].content


def test_extensions_are_asked_in_threads_so_that_a_slow_one_delays_nobody_else(
    start: Start,
) -> None:
    both = threading.Barrier(2)
    plugin = Says(lambda client: both.wait(20) + 1 and ALICE)
    service = start(extensions=(plugin,))
    serve = asgi.application(service.app, 2, 20)

    async def two() -> list[Answer]:
        return await asyncio.gather(*(ask(serve, "GET", f"{URL}jobs/", {}) for _ in range(2)))

    answers = asyncio.run(two())
    assert [answer.status for answer in answers] == [200, 200], "both were asked at once"
    assert plugin.asked == 2
