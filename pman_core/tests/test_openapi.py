"""The OpenAPI document: valid, complete, and true of what the service answers."""

import inspect
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from rest_helpers import Service, body
from werkzeug.test import TestResponse

from pman_core import hookimpl
from pman_core.contract.errors import ForbiddenError, TooManyRequestsError, UnauthenticatedError
from pman_core.rest.schema import FIELDS
from pman_core.server import refusals
from pman_core.server.refusals import RefusalError
from pman_core.testing import MemoryBackend


@pytest.fixture
def document(service: Service) -> dict[str, Any]:
    answer = service.app.test_client().get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json or {}
    return found


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """Checks values against a schema of the document."""
    return Draft202012Validator({**schema, "components": document["components"]})


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_is_in_the_document_and_the_other_way_round(
    service: Service, document: dict[str, Any]
) -> None:
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in service.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {
        (path, method)
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert described == served


def test_every_field_is_described_as_it_is_read(document: dict[str, Any]) -> None:
    request = document["components"]["schemas"]["Request"]
    assert set(request["properties"]) == {field.name for field in FIELDS}
    query = {p["name"] for p in document["paths"]["/api/v1/"]["post"]["parameters"]}
    assert query == {field.name for field in FIELDS if field.in_query}


def conforms(document: dict[str, Any], path: str, method: str, answer: TestResponse) -> None:
    """Check an answer against what the document says of it."""
    responses = document["paths"][path][method]["responses"]
    described = responses[str(answer.status_code)]
    if "content" not in described:
        assert answer.data == b""
        return
    schema = described["content"][answer.content_type]["schema"]
    validator(document, schema).validate(answer.json)


ROOT, JOB, JOBS, DOCUMENT = "/api/v1/", "/api/v1/{jid}/", "/api/v1/jobs/", "/openapi.json"
CANCEL = f"{JOB}cancel/"
ALIVE, READY = "/healthz", "/readyz"


def test_every_kind_of_answer_is_as_described(
    start: Callable[..., Service], document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pman_core._internal.backend._SUBMIT_AGAIN_AFTER_S", ())
    service = start(JOB_LABELS="a=b", MAX_BODY_BYTES="2000")
    service.engine.records["taken"] = None
    seen = set()

    def check(path: str, method: str, code: int, answer: TestResponse) -> None:
        assert answer.status_code == code, answer.data
        conforms(document, path, method, answer)
        seen.add((path, method, str(code)))

    for code, query in ((200, ""), (400, "?x=1")):
        for path in (ALIVE, READY):
            check(path, "get", code, service.app.test_client().get(f"{path}{query}"))
        check(ROOT, "get", code, service.get(query))
        check(DOCUMENT, "get", code, service.app.test_client().get(f"{DOCUMENT}{query}"))
    check(ROOT, "post", 201, service.post(body(extra=1)))
    check(ROOT, "post", 201, service.post(body(jid="waits", gpu_limit=3)))
    check(ROOT, "post", 201, service.post(body(jid="failed", image="missing")))
    check(ROOT, "post", 400, service.post({}))
    check(ROOT, "post", 400, service.post([]))
    check(ROOT, "post", 409, service.post(body(auid="other")))
    check(ROOT, "post", 409, service.post(body(jid="taken")))
    check(ROOT, "post", 413, service.post(body(args=["x" * 2000])))
    check(ROOT, "post", 415, service.post(data=b"{}", content_type="text/plain"))
    service.ended("chris-jid-1")
    for jid in ("chris-jid-1", "waits", "failed"):
        check(JOB, "get", 200, service.get(f"{jid}/"))
    check(JOB, "get", 200, service.get("chris-jid-1/?logs=no"))
    check(JOB, "get", 400, service.get("chris-jid-1/?logs=maybe"))
    check(JOB, "get", 404, service.get("never-was/"))
    check(JOBS, "get", 200, service.get("jobs/?limit=1"))
    check(JOBS, "get", 200, service.get("jobs/"))
    check(JOBS, "get", 400, service.get("jobs/?limit=0"))
    check(CANCEL, "post", 200, service.cancel("waits"))
    check(CANCEL, "post", 200, service.cancel("chris-jid-1"))
    check(CANCEL, "post", 400, service.cancel("waits", "?x=1"))
    check(CANCEL, "post", 404, service.cancel("never-was"))
    check(JOB, "delete", 400, service.delete("waits/?x=1"))
    check(JOB, "delete", 204, service.delete("waits/"))
    check(JOB, "delete", 404, service.delete("waits/"))
    check(JOB, "delete", 405, service.delete("jobs/"))
    service.engine.up = False
    check(ROOT, "post", 503, service.post(body(jid="other")))
    check(JOB, "get", 503, service.get("chris-jid-1/"))
    check(CANCEL, "post", 503, service.cancel("chris-jid-1"))
    check(JOB, "delete", 503, service.delete("chris-jid-1/"))
    check(JOBS, "get", 503, service.get("jobs/"))
    check(READY, "get", 503, start(engine=service.engine).app.test_client().get(READY))

    def breaks(self: object) -> object:
        raise RuntimeError

    hooks = ("pman_submit", "pman_status", "pman_cancel", "pman_remove", "pman_list")
    broken = start(type("Broken", (MemoryBackend,), dict.fromkeys(hooks, hookimpl(breaks)))({}))
    check(ROOT, "post", 500, broken.post())
    check(JOB, "get", 500, broken.get("x/"))
    check(CANCEL, "post", 500, broken.cancel("x"))
    check(JOB, "delete", 500, broken.delete("x/"))
    check(JOBS, "get", 500, broken.get("jobs/"))

    def fails() -> str:
        raise RuntimeError

    broken.app.view_functions |= {
        f"pman.{view}": fails for view in ("server", "openapi", "alive", "ready")
    }
    for path in (ALIVE, READY):
        check(path, "get", 500, broken.app.test_client().get(path))
    check(ROOT, "get", 500, broken.get())
    check(DOCUMENT, "get", 500, broken.app.test_client().get(DOCUMENT))

    described = {
        (path, method, code)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
        for code in operation["responses"]
    }
    rest = {code for _, _, code in described - seen}
    assert rest <= {str(refusal.status.value) for refusal in every_refusal()}
    assert seen <= described, "every answer that the document describes was looked at"


def every_refusal() -> Iterator[RefusalError]:
    """One of each kind of answer that the server itself gives."""
    for make in vars(refusals).values():
        is_own = inspect.isfunction(make) and make.__module__ == refusals.__name__
        if is_own and make is not refusals.not_let_in:
            yield make(*[1] * len(inspect.signature(make).parameters))
    for error in (UnauthenticatedError(), ForbiddenError(""), TooManyRequestsError("", 1)):
        yield refusals.not_let_in(error, "GET", ROOT)


def test_what_the_server_itself_refuses_is_described_for_every_operation(
    document: dict[str, Any],
) -> None:
    operations = [
        operation
        for item in document["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
    ]
    assert len(list(every_refusal())) >= 6
    for refusal in every_refusal():
        for operation in operations:
            described = operation["responses"][str(refusal.status.value)]
            schema = described["content"]["application/json"]["schema"]
            validator(document, schema).validate(json.loads(refusal.body()))


def test_every_key_of_a_job_and_every_parameter_is_explained(document: dict[str, Any]) -> None:
    explained = dict(document["components"]["schemas"]["SubmittedJob"]["properties"])
    for item in document["paths"].values():
        for method in item.keys() - {"parameters"}:
            for parameter in item[method].get("parameters", ()):
                explained[parameter["name"]] = parameter["schema"]
    assert [name for name, schema in explained.items() if not schema.get("description")] == []


def test_answers_of_no_route_have_the_form_of_an_error(
    service: Service, document: dict[str, Any]
) -> None:
    schema = {"$ref": "#/components/schemas/Error"}
    client = service.app.test_client()
    for answer in (client.get("/nowhere"), client.put(ROOT), client.get("/api/v1/a/b/")):
        assert answer.status_code in (404, 405)
        validator(document, schema).validate(answer.json)
