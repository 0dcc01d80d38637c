"""The API server's answers become pman's errors."""

import json
import ssl
from typing import Any

import pytest
import urllib3.exceptions
from kubernetes.client import ApiException

from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_k8s.errors import (
    ConflictError,
    ExpiredError,
    NotFoundError,
    RefusedError,
    UnauthorizedError,
    create_error,
    engine_errors,
    missing_permission,
    raise_for,
)

FORBIDDEN = (
    'jobs.batch is forbidden: User "system:serviceaccount:ns:pman" cannot create resource "jobs" '
    'in API group "batch" in the namespace "ns"'
)
QUOTA = 'jobs.batch "x" is forbidden: exceeded quota: q, requested: count/jobs.batch=1'


def status(code: int, message: str, **details: Any) -> bytes:
    """As the API server sends it (API reference, Status)."""
    body = {"kind": "Status", "code": code, "message": message, "details": details}
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, RefusedError),
        (401, UnauthorizedError),
        (404, NotFoundError),
        (409, ConflictError),
        (410, ExpiredError),
    ],
)
def test_each_status_code_has_its_exception(code: int, kind: type[RefusedError]) -> None:
    with pytest.raises(RefusedError, match="words") as caught:
        raise_for(code, {}, status(code, "words"))
    assert type(caught.value) is kind


def test_a_404_of_something_else_says_nothing_of_a_job() -> None:
    """A proxy that has just started, say; the job is not gone."""
    for body in (b"404 page not found", b'{"message": "no route"}', b"[]"):
        with pytest.raises(EngineUnavailableError, match="something before the API server"):
            raise_for(404, {}, body)


@pytest.mark.parametrize("details", [["x"], "x", {"causes": ["x"]}])
def test_an_error_of_a_gateway_is_reported_whatever_its_shape(details: Any) -> None:
    body = json.dumps({"code": 14, "message": "no upstream", "details": details}).encode()
    with pytest.raises(EngineUnavailableError, match="no upstream"):
        raise_for(503, {}, body)


@pytest.mark.parametrize("code", [200, 201, 204, 304])
def test_a_yes_is_no_error(code: int) -> None:
    raise_for(code, {}, b"")


def test_each_wrong_field_is_named() -> None:
    causes = [
        {"field": "spec.template.labels", "message": "Invalid value: no"},
        {"field": "spec.parallelism", "message": "Invalid value: -1"},
    ]
    with pytest.raises(RefusedError) as caught:
        raise_for(422, {}, status(422, "Job is invalid", causes=causes))
    told = create_error(caught.value)
    assert isinstance(told, InvalidJobError)
    for cause in causes:
        assert f"{cause['field']}: {cause['message']}" in str(told)


def test_a_missing_permission_is_named() -> None:
    assert missing_permission(FORBIDDEN) == "create jobs (batch)"
    core = FORBIDDEN.replace("create", "get").replace('"jobs"', '"pods/log"').replace("batch", "")
    assert missing_permission(core) == "get pods/log"
    with pytest.raises(EngineUnavailableError, match=r"not allowed to create jobs \(batch\)"):
        raise_for(403, {}, status(403, FORBIDDEN))


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        (403, QUOTA, EngineUnavailableError),
        (404, 'namespaces "x" not found', EngineUnavailableError),
        (403, "because it is being terminated", EngineUnavailableError),
        (403, "is forbidden: status unknown for quota: q, resources: pods", EngineUnavailableError),
        (403, "is forbidden: not yet ready to handle request", EngineUnavailableError),
        (403, 'admission webhook "policy" denied the request: no', InvalidJobError),
        (413, "Request entity too large: limit is 3145728", InvalidJobError),
    ],
)
def test_who_must_act_when_a_job_is_refused(code: int, words: str, kind: type[Exception]) -> None:
    with pytest.raises(RefusedError) as caught:
        raise_for(code, {}, status(code, words))
    told = create_error(caught.value)
    assert isinstance(told, kind)
    assert words in str(told)


def test_an_object_that_etcd_finds_too_large_is_the_clients_fault() -> None:
    with pytest.raises(RefusedError):
        raise_for(500, {}, status(500, "etcdserver: request is too large"))


@pytest.mark.parametrize(
    ("code", "headers", "details", "after"),
    [
        (429, {"Retry-After": "7"}, {}, 7),
        (429, {}, {"retryAfterSeconds": 3}, 3),
        (429, {}, {}, 1),
        (503, {"Retry-After": "2"}, {}, 2),
        (500, {}, {}, None),
        (504, {}, {}, None),
    ],
)
def test_a_server_that_cannot_serve_now_says_when(
    code: int, headers: dict[str, str], details: dict[str, Any], after: float | None
) -> None:
    with pytest.raises(EngineUnavailableError, match="words") as caught:
        raise_for(code, headers, status(code, "words", **details))
    assert caught.value.retry_after_s == after


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"", b"[]", b"\xff"])
def test_an_error_of_a_proxy_is_reported_too(body: bytes) -> None:
    with pytest.raises(EngineUnavailableError, match="502"):
        raise_for(502, {}, body)


POOL: Any = None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (urllib3.exceptions.ReadTimeoutError(POOL, "/", "late"), "in time"),
        (
            urllib3.exceptions.MaxRetryError(
                POOL, "/", urllib3.exceptions.ConnectTimeoutError(POOL, "late")
            ),
            "in time",
        ),
        (
            urllib3.exceptions.MaxRetryError(
                POOL, "/", urllib3.exceptions.NewConnectionError(POOL, "refused")
            ),
            "refused",
        ),
        (urllib3.exceptions.ProtocolError("broken"), "broken"),
        (ApiException(status=0, reason="SSLError\nself signed"), "self signed"),
        (ssl.SSLError("bad certificate"), "bad certificate"),
        (json.JSONDecodeError("no JSON", "<", 0), "no JSON"),
        (ConnectionResetError("reset"), "reset"),
    ],
)
def test_a_server_that_does_not_answer_is_unavailable(error: Exception, words: str) -> None:
    with pytest.raises(EngineUnavailableError, match=words), engine_errors(lambda: "https://x"):
        raise error
