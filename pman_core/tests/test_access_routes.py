"""Every route needs somebody who is known, also those of extensions, unless it is declared open."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from access_helpers import Tokens, bearer
from flask import Blueprint, Response, g
from rest_helpers import URL, Service, body

from pman_core import JobFilter, hookimpl
from pman_core.contract.access import UNRESTRICTED, Role
from pman_core.contract.service import Service as Jobs
from pman_core.kit.routes import open_to_all
from pman_core.rest.access import principal_now

Start = Callable[..., Service]

#: What is open, and what it tells those who are not known.
OPEN: dict[tuple[str, str], Any] = {
    ("GET", "/healthz"): {"status": "alive"},
    ("GET", "/readyz"): {"status": "ready"},
    ("GET", URL): {},
    ("GET", "/more/open"): {"open": True},
}


class More:
    """An extension with routes."""

    def __init__(self) -> None:
        self.ended: list[str] = []  # streams

    @hookimpl
    def pman_routes(self, service: Jobs) -> Blueprint:
        bp = Blueprint("more", __name__, url_prefix="/more")

        @bp.get("/open")
        @open_to_all
        def everybody() -> Any:
            return {"open": True}

        @bp.get("/closed")
        def some() -> Any:
            return {"who": service.principal.name}

        @bp.route("/closed/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        def all_methods(rest: str) -> Any:
            return {"who": service.principal.name}

        @bp.get("/open-but")
        @open_to_all
        def asks() -> Any:
            return {"jobs": len(service.list(JobFilter(), 10).jobs)}

        @bp.get("/stream")
        def stream() -> Response:
            def lines() -> Iterator[str]:
                try:
                    yield f"{service.principal.name}:"
                    yield from (info.jid for info in service.list(JobFilter(), 10).jobs)
                finally:
                    self.ended.append(service.principal.name)

            return Response(lines())

        return bp


@pytest.fixture
def token(tokens: Tokens) -> str:
    return tokens.add("pfcon", Role.ADMIN)


@pytest.fixture
def guarded(start: Start, token: str, tokens: Tokens) -> Service:
    return start(extensions=(More(),), **tokens.setting())


def routes(service: Service) -> Iterator[tuple[str, str]]:
    """The method and a path of each route, as Flask has them."""
    for rule in service.app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "chris-jid-1", rule.rule)
        yield from ((method, path) for method in sorted(rule.methods or ()))


def test_every_route_needs_somebody_who_is_known_unless_it_is_open(
    guarded: Service, token: str
) -> None:
    client = guarded.app.test_client()
    found = list(routes(guarded))
    assert len(found) > 30
    for method, path in found:
        how: dict[str, Any] = {"method": method, "buffered": True}  # read whole, as by a server
        strangers = client.open(path, headers=bearer("wrong"), **how)
        known = client.open(path, headers=bearer(token), json=body(), **how)
        opened = [way for way in ("GET", "HEAD", "OPTIONS") if ("GET", path) in OPEN]
        if path == "/more/open-but":
            opened = ["OPTIONS"]  # see below
        assert (strangers.status_code == 401) == (method not in opened), (method, path)
        assert known.status_code in (200, 201, 204, 400, 404), (method, path)


@pytest.mark.parametrize(("method", "path"), OPEN)
@pytest.mark.parametrize("headers", [{}, bearer("wrong")])
def test_what_is_open_is_served_to_everybody_and_tells_no_more_than_this(
    guarded: Service, method: str, path: str, headers: dict[str, str]
) -> None:
    how: dict[str, Any] = {"environ_overrides": {"REMOTE_ADDR": "10.0.0.1"}}
    answer = guarded.app.test_client().open(path, method=method, headers=headers, **how)
    assert (answer.status_code, answer.json) == (200, OPEN[method, path])
    assert "WWW-Authenticate" not in answer.headers


def test_what_pman_is_is_told_to_those_who_are_known(guarded: Service, token: str) -> None:
    told = guarded.get(headers=bearer(token)).json or {}
    assert told["container_env"] == "memory"
    assert told["server_version"]


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/none", "/api/", "/static/x", "/more/", "/more/none", f"{URL}a/b/"),
        *("/api/v1", f"{URL}jobs", f"{URL}chris-jid-1", f"/{URL}", f"{URL}/", "/healthz/"),
        *("/readyz/", "//healthz", "/more/open/", "/healthz/../api/v1/jobs/", "/%68ealthz/x"),
    ],
)
def test_neither_unknown_paths_nor_redirects_are_told_to_strangers(
    guarded: Service, path: str, token: str
) -> None:
    client = guarded.app.test_client()
    for method in ("GET", "POST", "DELETE"):
        answer = client.open(path, method=method)
        assert answer.status_code == 401
        assert "Location" not in answer.headers
    assert client.get(path, headers=bearer(token)).status_code in (308, 404)


def test_a_wrong_method_of_an_open_path_is_401_for_strangers(guarded: Service) -> None:
    for path in ("/healthz", "/readyz", "/more/open"):
        assert guarded.app.test_client().post(path, json=body()).status_code == 401


def test_a_query_or_a_body_opens_nothing(guarded: Service, token: str) -> None:
    client = guarded.app.test_client()
    for query in (f"token={token}", f"access_token={token}", "open_to_all=1", "_method=GET"):
        assert client.get(f"{URL}jobs/?{query}").status_code == 401
    form = {"access_token": token, "_method": "GET"}
    assert client.post(f"{URL}jobs/", data=form).status_code == 401
    assert client.get(URL, headers={"X-HTTP-Method-Override": "POST"}).json == {}


def test_the_routes_of_an_extension_act_for_who_asks(guarded: Service, token: str) -> None:
    client = guarded.app.test_client()
    assert client.get("/more/closed", headers=bearer(token)).json == {"who": "pfcon"}
    assert client.delete("/more/closed/a/b", headers=bearer(token)).json == {"who": "pfcon"}


def test_an_open_route_does_nothing_with_jobs_for_those_who_are_not_known(
    guarded: Service, token: str
) -> None:
    client = guarded.app.test_client()
    assert client.get("/more/open-but").status_code == 401
    assert client.get("/more/open-but", headers=bearer(token)).json == {"jobs": 0}


def test_a_stream_of_an_extension_is_made_for_who_asks_and_not_for_pman_itself(
    start: Start, tokens: Tokens
) -> None:
    a, b = tokens.add("a"), tokens.add("b")
    more = More()
    service = start(extensions=(more,), **tokens.setting(), JOBS_VISIBLE_TO="owner")
    service.post(body(jid="1", image="hold"), headers=bearer(a))
    client = service.app.test_client()
    assert client.get("/more/stream", headers=bearer(a)).text == "a:1"
    assert client.get("/more/stream", headers=bearer(b)).text == "b:"
    assert more.ended == ["a", "b"]


def test_a_stream_whose_client_goes_is_ended_and_leaves_its_principal_nowhere(
    start: Start, tokens: Tokens
) -> None:
    more, token = More(), tokens.add("a")
    service = start(extensions=(more,), **tokens.setting())
    with service.app.test_client().get("/more/stream", headers=bearer(token)) as answer:
        assert next(answer.iter_encoded()) == b"a:"
        assert principal_now() == UNRESTRICTED, "between the pieces, as in any thread"
        assert more.ended == []
    assert more.ended == ["a"], "its end is made for the same one"
    assert principal_now() == UNRESTRICTED


def test_the_document_says_how_to_show_a_token_and_what_an_operation_answers_without_one(
    guarded: Service, token: str
) -> None:
    document = guarded.app.test_client().get("/openapi.json", headers=bearer(token)).json or {}
    schemes = document["components"]["securitySchemes"]
    assert {scheme["scheme"] for scheme in schemes.values()} == {"bearer", "basic"}
    assert {name for way in document["security"] for name in way} == set(schemes)
    for path, item in document["paths"].items():
        for method in item.keys() - {"parameters"}:
            assert {"401", "403", "429"} <= item[method]["responses"].keys(), (method, path)
    for path in ("/healthz", "/readyz"):
        assert document["paths"][path]["get"]["security"] == [{}]


def test_the_mark_of_one_view_opens_no_other(guarded: Service) -> None:
    """Two views of one path, one of them open: the method tells them apart."""
    client = guarded.app.test_client()
    assert client.get(URL).status_code == 200
    assert client.post(URL, json=body()).status_code == 401
    assert not guarded.engine.records


class Early:
    """A blueprint that runs before each request."""

    @hookimpl
    def pman_routes(self) -> Blueprint:
        bp = Blueprint("early", __name__)

        @bp.before_app_request
        def note() -> None:
            g.seen = True

        return bp


def test_what_runs_before_each_request_runs_after_the_check(
    start: Start, token: str, tokens: Tokens
) -> None:
    service = start(extensions=(Early(),), **tokens.setting())
    with service.app.test_client() as client:
        assert client.get(f"{URL}jobs/").status_code == 401
        assert not hasattr(g, "seen")
        assert client.get(f"{URL}jobs/", headers=bearer(token)).status_code == 200
        assert g.seen
