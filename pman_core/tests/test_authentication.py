"""Who is let in: by which credentials, and what everybody else gets, which is nothing."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from access_helpers import OVER, Clock, Tokens, basic, bearer
from rest_helpers import Service

from pman_core import hookimpl
from pman_core._internal.authentication import is_loopback, token_of
from pman_core.contract.access import Role
from pman_core.contract.errors import SettingsError

Start = Callable[..., Service]


def b64(pair: bytes) -> str:
    return base64.b64encode(pair).decode()


# ---------------------------------------------------------------------- the header


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER   abc  ", "abc"),
        (f"Basic {b64(b'pfcon:abc')}", "abc"),
        (f"basic {b64(b':abc')}", "abc"),
        (f"Basic {b64(b'anybody:a:b:c')}", "a:b:c"),
        ("", None),
        ("abc", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("Bearerabc", None),
        ("Token abc", None),
        ("Basic", None),
        ("Basic abc", None),
        ("Basic ====", None),
        (f"Basic !{b64(b'pfcon:abc')}", None),
        (f"Basic {b64(b'abc')}", None),
        (f"Basic {b64(b'abc:')}", None),
        (f"Basic {b64(bytes([255, 254, 58]) + b'abc')}", None),
        ("Bearer abc, Bearer def", "abc, Bearer def"),
    ],
)
def test_the_token_is_that_of_bearer_or_the_password_of_basic(
    header: str, token: str | None
) -> None:
    assert token_of(header) == token


@pytest.mark.parametrize("header", ["Authorization", "authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("show", [bearer, basic, lambda t: basic(t, ""), lambda t: basic(t, "ä")])
def test_a_token_is_taken_as_bearer_and_as_the_password_of_any_user(
    start: Start, tokens: Tokens, header: str, show: Callable[[str], dict[str, str]]
) -> None:
    token = tokens.add("pfcon")
    service = start(**tokens.setting())
    (value,) = show(token).values()
    assert service.post(headers={header: value}).status_code == 201


def test_two_headers_are_no_token_also_if_one_of_them_is(start: Start, tokens: Tokens) -> None:
    token = tokens.add("pfcon")
    service = start(**tokens.setting())
    twice = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    assert service.get("jobs/", headers=twice).status_code == 401
    twice[0] = ("Authorization", "Bearer wrong")
    assert service.get("jobs/", headers=twice).status_code == 401


# ---------------------------------------------------------------------- refusals


def test_wrong_expired_and_no_tokens_are_answered_alike(start: Start, tokens: Tokens) -> None:
    expired = tokens.add("pfcon", expires=OVER)
    tokens.add("pfcon")
    service = start(**tokens.setting())
    shown: list[dict[str, str]] = [{}, bearer("wrong"), basic("wrong"), bearer(expired)]
    answers = [service.get("jobs/", headers=headers) for headers in shown]
    assert {(one.status_code, one.text, str(one.headers)) for one in answers} == {
        (401, answers[0].text, str(answers[0].headers))
    }
    assert "needs a valid token" in (answers[0].json or {})["message"]


def test_401_names_both_ways_to_show_a_token(start: Start, tokens: Tokens) -> None:
    tokens.add("pfcon")
    answer = start(**tokens.setting()).get("jobs/")
    schemes = [value.split()[0] for value in answer.headers.get_all("WWW-Authenticate")]
    assert schemes == ["Bearer", "Basic"]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("name", ["pfcon", "m404", "404"])
def test_no_refusal_of_a_removal_holds_the_number_by_which_cube_knows_a_removed_job(
    start: Start, tokens: Tokens, name: str
) -> None:
    reader = tokens.add(name, Role.READ)
    service = start(**tokens.setting(), REQUESTS_PER_SECOND="1")
    codes = []
    for headers in ({}, bearer("404"), bearer(reader), bearer(reader)):
        answer = service.delete("chris-jid-404/", headers=headers)
        codes.append(answer.status_code)
        assert "404" not in answer.text
    assert codes == [401, 401, 403, 429]


def test_a_token_that_is_revoked_is_refused_at_the_next_request(
    start: Start, tokens: Tokens
) -> None:
    token, other = tokens.add("pfcon"), tokens.add("other")
    service = start(**tokens.setting())
    assert service.get("jobs/", headers=bearer(token)).status_code == 200
    tokens.revoke("pfcon")
    assert service.get("jobs/", headers=bearer(token)).status_code == 401
    assert service.get("jobs/", headers=bearer(other)).status_code == 200


# ---------------------------------------------------------------------- without tokens

LOOPBACK = ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"]
OTHERS = ["10.0.0.1", "::", "::ffff:10.0.0.1", "fe80::1", "", "unix", "127.0.0.1.x"]


@pytest.mark.parametrize("address", [*LOOPBACK, *OTHERS])
def test_without_tokens_only_this_machine_is_served(service: Service, address: str) -> None:
    assert is_loopback(address) == (address in LOOPBACK)
    answer = service.get("jobs/", environ_overrides={"REMOTE_ADDR": address})
    assert answer.status_code == (200 if address in LOOPBACK else 401)


def test_no_header_makes_another_machine_this_one(service: Service) -> None:
    names = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP", "Remote-Addr", "Host")
    headers = dict.fromkeys(names, "127.0.0.1") | {"Authorization": "Bearer x"}
    how: dict[str, Any] = {"environ_overrides": {"REMOTE_ADDR": "10.0.0.1"}, "headers": headers}
    assert service.get("jobs/", **how).status_code == 401


def test_an_address_that_is_not_known_is_no_machine_of_ours() -> None:
    assert not is_loopback(None)


def test_with_tokens_this_machine_needs_one_too(start: Start, tokens: Tokens) -> None:
    tokens.add("pfcon")
    assert start(**tokens.setting()).get("jobs/").status_code == 401


def test_a_file_without_tokens_lets_nobody_in(start: Start, tokens: Tokens) -> None:
    assert start(**tokens.setting()).get("jobs/").status_code == 401


def test_auth_none_serves_everybody_everything(start: Start) -> None:
    service = start(AUTH="none")
    how: dict[str, Any] = {"environ_overrides": {"REMOTE_ADDR": "10.0.0.1"}}
    assert service.post(**how).status_code == 201
    assert service.delete("chris-jid-1/", **how, headers=bearer("any")).status_code == 204


class Knows:
    """An extension that knows nobody."""

    @hookimpl
    def pman_authenticate(self) -> None:
        return None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"AUTH": "none", "AUTH_TOKENS_FILE": "FILE"}, "AUTH=none and AUTH_TOKENS_FILE"),
        ({"AUTH": "none", "JOBS_VISIBLE_TO": "owner"}, "JOBS_VISIBLE_TO=owner needs"),
        ({"AUTH": "none", "REQUESTS_PER_SECOND": "5"}, "REQUESTS_PER_SECOND needs"),
        ({"JOBS_VISIBLE_TO": "owner"}, "JOBS_VISIBLE_TO=owner needs"),
        ({"REQUESTS_PER_SECOND": "5"}, "REQUESTS_PER_SECOND needs"),
        ({"AUTH_TOKENS_FILE": "/nonexistent/tokens"}, "AUTH_TOKENS_FILE: /nonexistent/tokens"),
    ],
)
def test_settings_that_contradict_one_another_are_refused(
    start: Start, tokens: Tokens, settings: dict[str, str], words: str
) -> None:
    tokens.add("pfcon")
    given = {name: value.replace("FILE", str(tokens.path)) for name, value in settings.items()}
    with pytest.raises(SettingsError, match=words) as caught:
        start(**given)
    assert len(caught.value.problems) == 1


def test_auth_none_contradicts_an_extension_that_authenticates(start: Start) -> None:
    with pytest.raises(SettingsError, match=r"AUTH=none contradicts .*extension0"):
        start(extensions=(Knows(),), AUTH="none")


# ---------------------------------------------------------------------- how often


def test_who_asks_too_often_is_told_when_to_ask_again_and_nobody_else_is_slowed(
    start: Start, tokens: Tokens, clock: Clock
) -> None:
    flood, other = tokens.add("flood"), tokens.add("other")
    service = start(**tokens.setting(), REQUESTS_PER_SECOND="3")
    codes = [service.get("jobs/", headers=bearer(flood)).status_code for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]
    refused = service.post(headers=bearer(flood))
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    told = "flood sent more than 3 requests a second to this process of pman"
    assert told in (refused.json or {})["message"]
    assert not service.engine.records
    assert service.post(headers=bearer(other)).status_code == 201
    clock.now += 1
    assert service.get("jobs/", headers=bearer(flood)).status_code == 200


@pytest.mark.usefixtures("clock")
def test_two_tokens_of_one_name_share_its_limit(start: Start, tokens: Tokens) -> None:
    first, second = tokens.add("pfcon"), tokens.add("pfcon")
    service = start(**tokens.setting(), REQUESTS_PER_SECOND="1")
    codes = [service.get("jobs/", headers=bearer(t)).status_code for t in (first, second)]
    assert codes == [200, 429]


@pytest.mark.usefixtures("clock")
def test_wrong_tokens_use_up_nothing_of_anybody(start: Start, tokens: Tokens) -> None:
    token = tokens.add("pfcon")
    service = start(**tokens.setting(), REQUESTS_PER_SECOND="1")
    wrong = {service.get("jobs/", headers=bearer("wrong")).status_code for _ in range(50)}
    assert wrong == {401}
    assert service.get("jobs/", headers=bearer(token)).status_code == 200


def test_without_a_limit_any_number_is_served(start: Start, tokens: Tokens) -> None:
    token = tokens.add("pfcon")
    service = start(**tokens.setting())
    assert {service.get("jobs/", headers=bearer(token)).status_code for _ in range(50)} == {200}
