"""Paths and methods: redirects to the canonical path, what is allowed, what is not there."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_helpers import URL, Service, body

REDIRECTED = {
    "/api/v1": "/api/v1/",
    "/api/v1/chris-jid-1": "/api/v1/chris-jid-1/",
    "/api/v1//chris-jid-1/": "/api/v1/chris-jid-1/",
    "/api/v1///chris-jid-1": "/api/v1/chris-jid-1/",
    "/api//v1/chris-jid-1/": "/api/v1/chris-jid-1/",
    "/api/v1/%2Fchris-jid-1/": "/api/v1/chris-jid-1/",
    "/api/v1/%2F%2Fchris-jid-1": "/api/v1/chris-jid-1/",
    "/api/v1/chris-jid-1//": "/api/v1/chris-jid-1/",
    "/api/v1/jobs": "/api/v1/jobs/",
    "/api/v1//": "/api/v1/",
}


@pytest.mark.parametrize("query", ["", "?a=1&b=%2F%20"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", REDIRECTED)
def test_another_spelling_of_a_path_is_redirected(
    service: Service, method: str, path: str, query: str
) -> None:
    service.post(body(image="hold"))
    allowed = {"/api/v1/": ("GET", "POST"), "/api/v1/jobs/": ("GET",)}
    target = REDIRECTED[path]
    if method not in allowed.get(target, ("GET", "DELETE")):
        return
    answer = service.app.test_client().open(path + query, method=method)
    assert answer.status_code == 308
    assert answer.headers["Location"].removeprefix("http://localhost") == target + query
    assert service.get("chris-jid-1/").status_code == 200, "a redirect itself does nothing"


def test_a_post_survives_a_redirect(service: Service) -> None:
    answer = service.app.test_client().post("/api/v1", json=body(), follow_redirects=True)
    assert answer.status_code == 201


@pytest.mark.parametrize("path", ["//evil.example/api/v1", "//evil.example", "/\\evil.example"])
def test_no_path_redirects_to_another_host(service: Service, path: str) -> None:
    answer = service.app.test_client().open(URL, environ_overrides={"PATH_INFO": path})
    location = answer.headers.get("Location", "http://localhost/")
    assert location.startswith("http://localhost/")


@pytest.mark.parametrize(
    ("prefix", "kept"),
    [
        ("/pman", "/pman"),
        ("/a/b-c/", "/a/b-c"),
        ("//evil.example", ""),
        ("https://x", ""),
        ("", ""),
    ],
)
def test_a_redirect_keeps_the_path_under_which_a_proxy_offers_pman(
    service: Service, prefix: str, kept: str
) -> None:
    headers = {"X-Forwarded-Prefix": prefix, "SCRIPT_NAME": "/x", "Script-Name": "/y"}
    answer = service.app.test_client().get("/api/v1/chris-jid-1?logs=no", headers=headers)
    assert answer.status_code == 308
    location = answer.headers["Location"].removeprefix("http://localhost")
    assert location == f"{kept}/api/v1/chris-jid-1/?logs=no"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", URL),
        ("POST", URL),
        ("GET", URL + "jobs/"),
        ("GET", URL + "chris-jid-1/"),
        ("DELETE", URL + "chris-jid-1/"),
        ("GET", "/openapi.json"),
    ],
)
def test_a_query_parameter_that_is_not_known_is_reported_alike_on_every_route(
    service: Service, method: str, path: str
) -> None:
    service.post()
    answer = service.app.test_client().open(path + "?nonsense=1", method=method, json=body())
    assert answer.status_code == 400
    assert "is no query parameter of this path" in (answer.json or {})["message"]["nonsense"]
    assert service.get("chris-jid-1/").status_code == 200, "nothing was done"


@pytest.mark.parametrize("query", ["status=started&status=started", "limit=1&limit=2"])
def test_a_query_parameter_that_comes_twice_is_reported(service: Service, query: str) -> None:
    answer = service.get(f"jobs/?{query}")
    assert answer.status_code == 400
    name = query.partition("=")[0]
    assert (answer.json or {})["message"] == {name: "is given twice in the query string"}


ALLOWED = {
    "": {"GET", "HEAD", "OPTIONS", "POST"},
    "jobs/": {"GET", "HEAD", "OPTIONS"},
    "chris-jid-1/": {"GET", "HEAD", "OPTIONS", "DELETE"},
}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ALLOWED)
def test_a_wrong_method_is_405_and_names_the_right_ones(
    service: Service, path: str, method: str
) -> None:
    if method in ALLOWED[path]:
        return
    answer = service.app.test_client().open(URL + path, method=method)
    assert answer.status_code == 405
    assert answer.content_type == "application/json"
    assert answer.json == {"message": "The method is not allowed for the requested URL."}
    assert set(answer.headers["Allow"].split(", ")) == ALLOWED[path]


@pytest.mark.parametrize("path", ALLOWED)
def test_head_and_options_are_served(service: Service, path: str) -> None:
    service.post()
    head = service.app.test_client().head(URL + path)
    assert (head.status_code, head.content_type, head.data) == (200, "application/json", b"")
    options = service.app.test_client().options(URL + path)
    assert options.status_code == 200
    assert set(options.headers["Allow"].split(", ")) == ALLOWED[path]


@pytest.mark.parametrize("path", ["/", "/api/", "/api/v2/", "/static/x", "/api/v1/a/b/", "/%00"])
def test_any_other_path_is_404(service: Service, path: str) -> None:
    answer = service.app.test_client().get(path)
    assert answer.status_code == 404
    assert "message" in (answer.json or {})


def test_the_reserved_word_jobs_is_the_list_and_no_job(service: Service) -> None:
    assert service.post(body(jid="jobs")).status_code == 400
    assert (service.get("jobs/").json or {})["jobs"] == []
    assert service.delete("jobs/").status_code == 405


def test_an_extension_may_add_routes_and_raise_pmans_errors(start: Callable[..., Service]) -> None:
    from flask import Blueprint

    from pman_core import hookimpl
    from pman_core.contract.errors import NameTakenError

    class Routes:
        @hookimpl
        def pman_routes(self) -> Blueprint:  # an older one, without the service
            bp = Blueprint("more", __name__)

            @bp.get("/more/")
            def more() -> Any:
                return {"more": True}

            @bp.get("/taken/")
            def taken() -> Any:
                raise NameTakenError("a", "b")

            return bp

    client = start(extensions=(Routes(),)).app.test_client()
    assert client.get("/more/").json == {"more": True}
    assert client.get("/taken/").status_code == 409
