"""A page of another site changes nothing, and reads nothing, through somebody's browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from access_helpers import Tokens, ask, basic, bearer
from rest_helpers import URL, Service, body

from pman_core.contract.access import Role
from pman_core.server import asgi

Begin = Callable[..., Service]
Ask = Callable[..., tuple[int, str]]

#: What browsers add to a request of a page of another site.
FOREIGN = {
    "another host": {"Host": "localhost:5010", "Origin": "http://evil.example"},
    "another port": {"Host": "localhost:5010", "Origin": "http://localhost:3000"},
    "a name that begins alike": {"Host": "localhost", "Origin": "http://localhost.evil.example"},
    "a page without an origin": {"Host": "localhost:5010", "Origin": "null"},
    "told by the browser": {"Host": "localhost", "Sec-Fetch-Site": "cross-site"},
    "another service of this machine": {"Host": "localhost", "Sec-Fetch-Site": "same-site"},
    "both": {
        "Host": "localhost:5010",
        "Origin": "http://localhost:5010",
        "Sec-Fetch-Site": "cross-site",
    },
}

#: What other clients, pages of pman's own and bookmarks send.
OWN = {
    "curl": {"Host": "127.0.0.1:5010"},
    "a client without a host": {},
    "IPv6": {"Host": "[::1]:5010"},
    "a page of pman": {"Host": "localhost:5010", "Origin": "http://localhost:5010"},
    "a page of pman, as browsers say it": {
        "Host": "pman.localhost.",
        "Origin": "https://Pman.localhost",  # a proxy has changed the port
        "Sec-Fetch-Site": "same-origin",
    },
    "what a person asks for": {"Host": "LOCALHOST", "Sec-Fetch-Site": "none"},
}

CHANGING = (
    ("POST", f"{URL}j/cancel/"),
    ("DELETE", f"{URL}j/"),
    ("POST", URL),
    ("PATCH", "/no/such/route/"),
)


@pytest.fixture(params=["pman serve", "another server"])
def asked(request: pytest.FixtureRequest) -> Ask:
    """Sends a request to a pman under its own server, or under another one."""

    def by_asgi(
        service: Service, method: str, path: str, headers: dict[str, str], content: str
    ) -> tuple[int, str]:
        application = asgi.application(service.app, 1, 20)
        answered = asyncio.run(ask(application, method, path, headers, content.encode()))
        return answered.status, answered.content.decode()

    def by_wsgi(
        service: Service, method: str, path: str, headers: dict[str, str], content: str
    ) -> tuple[int, str]:
        client = service.app.test_client()
        made = client.open(path, method=method, headers=headers, data=content)
        return made.status_code, made.text

    send = by_asgi if request.param == "pman serve" else by_wsgi

    def ask_it(
        service: Service, method: str, path: str, *headers: dict[str, str], content: str = ""
    ) -> tuple[int, str]:
        joined = {name: value for one in headers for name, value in one.items()}
        return send(service, method, path, joined, content)

    return ask_it


@pytest.mark.parametrize("page", FOREIGN)
@pytest.mark.parametrize("settings", [{}, {"AUTH": "none"}], ids=["local", "open"])
def test_a_foreign_page_changes_nothing(
    start: Begin, asked: Ask, settings: dict[str, str], page: str
) -> None:
    service = start(**settings)
    service.post(body(jid="j"))
    for method, path in CHANGING:
        code, text = asked(service, method, path, FOREIGN[page])
        assert code == 403
        assert "a page of another site" in json.loads(text)["message"]
    assert service.get("j/").status_code == 200


@pytest.mark.parametrize("client", OWN)
def test_all_others_do_as_they_like(service: Service, asked: Ask, client: str) -> None:
    made, _ = asked(
        service,
        "POST",
        URL,
        OWN[client],
        {"Content-Type": "application/json"},
        content=json.dumps(body(jid="j")),
    )
    assert made == 201
    assert asked(service, "POST", f"{URL}j/cancel/", OWN[client])[0] == 200
    assert asked(service, "GET", f"{URL}j/", OWN[client])[0] == 200
    assert asked(service, "DELETE", f"{URL}j/", OWN[client])[0] == 204


@pytest.mark.parametrize("page", FOREIGN)
def test_a_browser_shows_a_password_by_itself_and_a_bearer_token_never(
    start: Begin, tokens: Tokens, asked: Ask, page: str
) -> None:
    token = tokens.add("me", Role.SUBMIT)
    service = start(**tokens.setting())
    cancel = ("POST", f"{URL}none/cancel/")
    assert asked(service, *cancel, FOREIGN[page], basic(token))[0] == 403
    assert asked(service, *cancel, FOREIGN[page], bearer(token))[0] == 404
    assert asked(service, *cancel, FOREIGN[page], bearer("wrong"))[0] == 401
    assert asked(service, *cancel, FOREIGN[page])[0] == 403


@pytest.mark.parametrize("page", FOREIGN)
def test_what_only_reads_is_left_to_the_browser_which_hides_the_answer(
    service: Service, asked: Ask, page: str
) -> None:
    code, _ = asked(service, "GET", f"{URL}jobs/", FOREIGN[page])
    assert code == 200
    answered = service.app.test_client().options(f"{URL}j/", headers=FOREIGN[page])
    assert not [name for name, _ in answered.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    "host",
    ["evil.example:5010", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "[", "x"],
)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", f"{URL}jobs/"), ("GET", URL), ("POST", f"{URL}j/cancel/")]
)
def test_a_name_that_was_made_to_lead_here_leads_to_nothing(
    service: Service, asked: Ask, host: str, method: str, path: str
) -> None:
    """To the browser its pages and pman are one site (DNS rebinding)."""
    own = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    code, text = asked(service, method, path, own)
    assert code == 403
    assert "serves its own machine only" in json.loads(text)["message"]


def test_a_pman_that_knows_its_clients_has_any_name(
    start: Begin, tokens: Tokens, asked: Ask
) -> None:
    token = tokens.add("me")
    service = start(**tokens.setting())
    assert asked(service, "GET", f"{URL}jobs/", {"Host": "pman.example"}, bearer(token))[0] == 200
    open_to_all = start(AUTH="none")
    assert asked(open_to_all, "GET", f"{URL}jobs/", {"Host": "pman.example"})[0] == 200
