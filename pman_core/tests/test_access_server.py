"""Access at pman's own server: what strangers send is not read, and guessing is slow."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import requests
from access_helpers import Answer, Tokens, ask, basic, bearer
from rest_helpers import URL, Service, body
from server_helpers import POST, Start, answer, port_of, send, serving

from pman_core.contract.access import Role
from pman_core.server import asgi

Begin = Callable[..., Service]


@pytest.fixture
def token(tokens: Tokens) -> str:
    return tokens.add("pfcon")


@pytest.fixture
def service(start: Begin, token: str, tokens: Tokens) -> Service:
    return start(**tokens.setting(), MAX_BODY_BYTES="200000")


@pytest.fixture
def served(service: Service) -> Iterator[int]:
    """The port of a server that knows one token."""
    with serving(service.app) as (_, port):
        yield port


def request(
    port: int, method: str, path: str, content: str | None = None, **headers: str
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request(method, path, content, {"Content-Type": "application/json", **headers})
        found = connection.getresponse()
        found.read()
        return found


# ------------------------------------------------------------------------- bodies


def test_strangers_do_not_take_the_room_of_large_bodies(served: int, token: str) -> None:
    """Each of them has announced a large body, and sent most of it."""
    stalled = POST + b"Content-Length: 150000\r\n\r\n" + b"x" * 100_000
    wanted = json.dumps(body(env=[f"A={'x' * 100_000}"]))
    with contextlib.ExitStack() as stack:
        for _ in range(5 * asgi.LARGE_AT_ONCE):
            stack.enter_context(send(served, stalled))
        for _ in range(3):
            assert request(served, "POST", URL, wanted, **bearer(token)).status == 201


def test_a_stranger_is_answered_before_the_body_has_come(served: int) -> None:
    announced = POST + b"Content-Length: 150000\r\n"
    for more in (b"\r\n", b"Expect: 100-continue\r\n\r\n", b"\r\n" + b"x" * 1000):
        status, told = answer(send(served, announced + more))
        assert status == 401
        assert "valid token" in told["message"]
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\nffff\r\nx"
    assert answer(send(served, chunked))[0] == 401


def test_a_stranger_who_has_sent_all_sees_why_and_may_go_on(served: int, token: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served, timeout=20)
    with contextlib.closing(connection):
        for headers, status in (({}, 401), (bearer(token), 200), ({}, 401)):
            connection.request("GET", f"{URL}jobs/", headers=headers)
            found = connection.getresponse()
            found.read()
            assert (found.status, found.will_close) == (status, False)


# ------------------------------------------------------------------------- the wire


def test_the_answer_to_a_stranger_names_both_ways_also_on_the_wire(served: int) -> None:
    found = request(served, "GET", f"{URL}jobs/")
    schemes = [value.split()[0] for value in found.headers.get_all("WWW-Authenticate", [])]
    assert (found.status, schemes) == (401, ["Bearer", "Basic"])
    assert found.headers["Content-Type"] == "application/json"
    assert request(served, "HEAD", f"{URL}jobs/").status == 401


def test_both_servers_answer_strangers_alike(service: Service) -> None:
    serve = asgi.application(service.app, 1, 20)
    for method, path in (("GET", f"{URL}jobs/"), ("DELETE", f"{URL}x/"), ("POST", "/none")):
        own = asyncio.run(ask(serve, method, path, bearer("wrong")))
        other = service.app.test_client().open(path, method=method, headers=bearer("wrong"))
        assert own.status == other.status_code == 401
        assert json.loads(own.content) == other.json
        shown = [value for name, value in own.headers if name == "www-authenticate"]
        assert shown == other.headers.get_all("WWW-Authenticate")


def test_two_headers_are_no_token_also_on_the_wire(served: int, token: str) -> None:
    line = f"Authorization: Bearer {token}\r\n".encode()
    get = f"GET {URL}jobs/ HTTP/1.1\r\nHost: localhost\r\n".encode()
    assert answer(send(served, get + line + b"\r\n"))[0] == 200
    assert answer(send(served, get + line + line + b"\r\n"))[0] == 401


def test_no_header_of_a_client_says_who_asks(served: int, token: str) -> None:
    names = ("pman.principal", "Asgi.Scope", "Remote-Addr", "X-Forwarded-For", "Pman-Principal")
    headers = dict.fromkeys(names, "127.0.0.1")
    assert request(served, "GET", f"{URL}jobs/", **headers).status == 401


@pytest.mark.usefixtures("clock")
def test_a_limit_counts_each_request_once_and_is_answered_with_when_to_ask_again(
    start: Begin, tokens: Tokens, token: str
) -> None:
    serve = asgi.application(start(**tokens.setting(), REQUESTS_PER_SECOND="2").app, 1, 20)
    other = tokens.add("other")

    async def three() -> list[Answer]:
        return [await ask(serve, "GET", f"{URL}jobs/", bearer(token)) for _ in range(3)]

    found = asyncio.run(three())
    assert [one.status for one in found] == [200, 200, 429]
    assert ("retry-after", "1") in found[2].headers
    assert asyncio.run(ask(serve, "GET", f"{URL}jobs/", bearer(other))).status == 200


# ------------------------------------------------------------------------- guesses


async def status(call: Coroutine[Any, Any, Answer]) -> int:
    return (await call).status


@pytest.mark.parametrize(
    ("path", "code"), [(f"{URL}jobs/", 401), (URL, 200)], ids=["closed", "open"]
)
def test_wrong_tokens_of_one_address_are_slowed_down_and_nobody_else_waits(
    service: Service, token: str, monkeypatch: pytest.MonkeyPatch, path: str, code: int
) -> None:
    monkeypatch.setattr(asgi, "SLOWED_S", 3600)
    serve = asgi.application(service.app, 1, 20)

    def get(headers: dict[str, str], address: str = "10.0.0.1") -> Coroutine[Any, Any, int]:
        return status(ask(serve, "GET", path, headers, address=address))

    async def guess() -> None:
        first = [await get(bearer(f"wrong {number}")) for number in range(asgi.WRONG_AT_ONCE)]
        assert set(first) == {code}
        late = [asyncio.create_task(get(basic(f"wrong {number}"))) for number in range(50)]
        done = [await get(bearer(token)) for _ in range(20)]
        done += [await get(basic(token), "10.0.0.2") for _ in range(20)]
        assert set(done) == {200}, "who is known does not wait, from the same address either"
        assert await get(bearer("wrong"), "10.0.0.2") == code, "nor does another address"
        assert {await get({}) for _ in range(50)} == {code}, "nor who shows no token"
        assert not any(task.done() for task in late)
        for task in late:
            task.cancel()

    asyncio.run(guess())


def test_a_wrong_token_is_answered_in_the_end(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "SLOWED_S", 0.01)
    serve = asgi.application(service.app, 1, 20)

    async def guess() -> set[int]:
        calls = (ask(serve, "GET", f"{URL}jobs/", bearer("wrong")) for _ in range(50))
        return {one.status for one in await asyncio.gather(*calls)}

    assert asyncio.run(guess()) == {401}


# ------------------------------------------------------------------------- pman serve


def session() -> requests.Session:
    """Takes nothing from the environment of the tests."""
    made = requests.Session()
    made.trust_env = False
    return made


def as_pfcon(port: int, token: str) -> str:
    """COMPUTE_SERVICE_URL, as an operator of pfcon writes it."""
    return f"http://pfcon:{token}@127.0.0.1:{port}/api/v1/"


def test_pfcon_works_with_the_token_in_its_address(
    pman_serve: Start, tokens: Tokens, token: str
) -> None:
    """Its calls: a submission, a state and a removal, each with the time-out that it has."""
    url = as_pfcon(port_of(pman_serve(**tokens.setting())), token)
    with session() as pfcon:
        made = pfcon.post(url, json=body(image="demo", entrypoint=["hold"]), timeout=100)
        assert (made.status_code, made.json()["owner"]) == (201, "pfcon")
        assert pfcon.get(f"{url}chris-jid-1/", timeout=100).json()["status"] == "started"
        assert pfcon.delete(f"{url}chris-jid-1/", timeout=100).status_code == 204
        gone = pfcon.get(f"{url}chris-jid-1/", timeout=100)
        assert (gone.status_code, gone.json()["message"][:3]) == (404, "404")
        wrong = pfcon.post(url.replace(token, "wrong"), json=body(), timeout=100)
        assert wrong.status_code == 401


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_a_redirect_keeps_the_token_of_the_address(
    pman_serve: Start, tokens: Tokens, token: str, method: str
) -> None:
    url = as_pfcon(port_of(pman_serve(**tokens.setting())), token)
    wanted = body(image="demo", entrypoint=["hold"])
    with session() as pfcon:
        if method != "POST":
            pfcon.post(url, json=wanted, timeout=100)
            url += "chris-jid-1/"
        done = pfcon.request(method, url.rstrip("/"), json=wanted, timeout=100)
        assert [one.status_code for one in done.history] == [308]
        assert done.status_code == {"POST": 201, "GET": 200, "DELETE": 204}[method]


def status_of(port: int, token: str | None) -> int:
    with session() as client:
        headers = bearer(token) if token else {}
        url = f"http://127.0.0.1:{port}{URL}jobs/"
        return client.get(url, headers=headers, timeout=60).status_code


@pytest.mark.parametrize("options", [("--workers", "2"), ("--dev",)])
def test_each_process_reads_the_tokens_again(
    pman_serve: Start, tokens: Tokens, token: str, options: tuple[str, ...]
) -> None:
    port = port_of(pman_serve("--host", "0.0.0.0", *options, **tokens.setting()))  # noqa: S104
    assert {status_of(port, token) for _ in range(10)} == {200}
    assert {status_of(port, None) for _ in range(10)} == {401}
    other = tokens.add("other", Role.READ)
    assert {status_of(port, other) for _ in range(10)} == {200}
    tokens.revoke("pfcon")
    assert {status_of(port, token) for _ in range(10)} == {401}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])  # noqa: S104
def test_without_tokens_pman_does_not_listen_on_a_network(pman_serve: Start, host: str) -> None:
    process = pman_serve("--host", host)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert "AUTH_TOKENS_FILE" in err
    assert "AUTH=none" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("options", [(), ("--host", "::1"), ("--host", "localhost")])
def test_without_tokens_pman_serves_this_machine(
    pman_serve: Start, options: tuple[str, ...]
) -> None:
    host = "[::1]" if "::1" in options else "127.0.0.1"
    port = port_of(pman_serve(*options))
    with session() as client:
        found = client.post(f"http://{host}:{port}{URL}", json=body(image="demo"), timeout=60)
    assert found.status_code == 201


def test_auth_none_serves_a_network_without_tokens(pman_serve: Start) -> None:
    port = port_of(pman_serve("--host", "0.0.0.0", AUTH="none"))  # noqa: S104
    assert status_of(port, None) == 200


def test_neither_a_token_nor_a_digest_is_in_what_pman_says(
    pman_serve: Start, tokens: Tokens, token: str
) -> None:
    process = pman_serve("--access-log", **tokens.setting(), APPLICATION_MODE="development")
    port = port_of(process)
    with session() as client:
        for shown in (bearer(token), basic(token), bearer(token[:-1]), basic("", token)):
            client.get(f"http://127.0.0.1:{port}{URL}jobs/", headers=shown, timeout=60)
        client.get(as_pfcon(port, token).rstrip("/"), timeout=60)
    tokens.path.write_text(tokens.path.read_text() + "nonsense\n")
    assert status_of(port, token) == 200
    process.terminate()
    said = "".join(process.communicate(timeout=60))
    assert "the tokens stay as they were" in said
    assert token[:-1] not in said
    assert tokens.path.read_text().split()[2] not in said
    assert basic(token)["Authorization"].split()[1] not in said
