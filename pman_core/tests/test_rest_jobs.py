"""GET and DELETE of one job: states, logs, odd ids, and an engine that is down."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from rest_helpers import Service, body, memory_engine

from pman_core import JobInfo, hookimpl
from pman_core.contract.errors import EngineUnavailableError
from pman_core.testing import MemoryBackend


def message(answer: Any, code: int) -> str:
    """The message of an error; it must be JSON with that code."""
    assert answer.status_code == code, answer.data
    assert answer.content_type == "application/json"
    assert isinstance(answer.json["message"], str)
    return str(answer.json["message"])


def test_the_server_says_what_it_is(service: Service) -> None:
    answer = service.get()
    assert answer.status_code == 200
    assert answer.json is not None
    assert list(answer.json)[:3] == ["server_version", "container_env", "storage_type"]
    assert (answer.json["container_env"], answer.json["storage_type"]) == ("memory", "host")
    assert answer.text.endswith("}\n")


def test_a_job_has_the_seven_keys_of_pman_6_first(service: Service) -> None:
    service.post(body(image="babble"))
    service.ended("chris-jid-1")
    answer = service.get("chris-jid-1/")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.text.endswith("}\n")
    job = answer.json
    assert job is not None
    seven = ["jid", "image", "cmd", "status", "message", "timestamp", "logs"]
    assert list(job)[:7] == seven
    assert all(isinstance(job[key], str) for key in seven)
    assert job["status"] == "finishedSuccessfully"
    assert job["timestamp"] == job["finished"]
    assert datetime.fromisoformat(job["created"]).tzinfo == UTC
    assert job["created"] <= job["started"] <= job["finished"]


def test_a_cancelled_job_is_reported_twice_alike_and_found_again(service: Service) -> None:
    service.post(body(image="hold"))
    first = service.cancel("chris-jid-1")
    assert first.status_code == 200
    job = first.json
    assert job
    assert (job["status"], job["reason"]) == ("finishedWithError", "cancelled")
    assert (job["message"], job["exit_code"]) == ("cancelled", None)
    assert service.cancel("chris-jid-1").json == job
    assert (service.post(body(image="hold")).json or {})["reason"] == "cancelled"
    assert message(service.cancel("nobody"), 404).startswith("404: ")


def test_a_failure_is_reported_with_its_exit_code(service: Service) -> None:
    service.post(body(image="fail"))
    job = service.ended("chris-jid-1")
    assert (job["status"], job["exit_code"], job["reason"]) == ("finishedWithError", 3, "exit-code")
    assert job["message"] == "exited with code 3"


def test_a_job_that_did_not_start_has_no_timestamp(service: Service) -> None:
    service.post(body(gpu_limit=5))
    job = service.get("chris-jid-1/").json
    assert job is not None
    assert (job["status"], job["timestamp"], job["started"]) == ("notstarted", "", None)


@pytest.mark.parametrize(
    "jid",
    [
        "Upper_Case",
        "a b",
        "ümlaut €",
        "😀",
        "..x",
        "%2F",
        "a%2Fb",
        "?x=1",
        "#f",
        "a;b",
        "a:b@c",
        "-",
        "+",
        "'\"<>",
        "x" * 200,
        " ",
        "a&b=c",
        "\\",
        "~",
        "jobs ",
        "Jobs",
    ],
)
def test_an_awkward_jid_works_percent_encoded(service: Service, jid: str) -> None:
    path = quote(jid, safe="")
    service.post(body(jid=jid, image="hold"))
    answer = service.get(f"{path}/")
    assert answer.json is not None
    assert (answer.status_code, answer.json["jid"]) == (200, jid)
    redirect = service.get(path)
    assert redirect.status_code == 308
    client = service.app.test_client()
    followed = client.get(f"/api/v1/{path}", follow_redirects=True)
    assert (followed.json or {})["jid"] == jid
    assert service.delete(f"{path}/").status_code == 204
    assert service.get(f"{path}/").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "never-was/",
        "a/b/",
        "%00/",
        "%0A/",
        "%ff/",
        "%ED%A0%80/",
        "../",
        "./",
        "events/",
        "x" * 201 + "/",
        "chris-jid-1/x/",
        "%E2%80%A8/",
        "chris-jid-1%2F%2Fx/",
    ],
)
def test_what_is_no_job_is_404(service: Service, path: str) -> None:
    service.post()
    for method in (service.get, service.delete):
        message(method(path), 404)
    assert service.get("chris-jid-1/").status_code == 200


@pytest.mark.parametrize("path", ["%00/", "../", "events/", "x" * 201 + "/"])
def test_the_backend_is_never_asked_about_an_impossible_jid(
    start: Callable[..., Service], path: str
) -> None:
    class Careful(MemoryBackend):
        @hookimpl
        def pman_status(self, jid: str) -> JobInfo:
            raise AssertionError(jid)

        @hookimpl
        def pman_remove(self, jid: str) -> bool:
            raise AssertionError(jid)

    service = start(Careful({}))
    assert (service.get(path).status_code, service.delete(path).status_code) == (404, 404)


def test_what_is_gone_is_reported_as_cube_reads_it(service: Service) -> None:
    """It looks for 404 in the message, which pfcon hands on."""
    for answer in (service.get("never-was/"), service.delete("never-was/"), service.get("a/b/")):
        assert message(answer, 404).startswith("404: ")


def test_a_second_removal_is_404(service: Service) -> None:
    service.post(body(image="hold"))
    first = service.delete("chris-jid-1/")
    assert (first.status_code, first.data) == (204, b"")
    assert "chris-jid-1" in message(service.delete("chris-jid-1/"), 404)


@pytest.mark.parametrize("image", ["local", "fail", "hold", "missing"])
def test_a_job_in_any_state_can_be_removed(service: Service, image: str) -> None:
    service.post(body(image=image))
    assert service.delete("chris-jid-1/").status_code == 204
    assert service.get("chris-jid-1/").status_code == 404
    assert not service.engine.records


def test_with_remove_jobs_no_nothing_is_looked_up_or_removed(
    start: Callable[..., Service],
) -> None:
    service = start(REMOVE_JOBS="no")
    service.post()
    service.engine.up = False
    for jid in ("chris-jid-1", "never-was"):
        answer = service.delete(f"{jid}/")
        assert (answer.status_code, answer.data) == (204, b"")
    service.engine.up = True
    assert service.get("chris-jid-1/").status_code == 200


def test_an_engine_that_is_down_is_503_and_comes_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pman_core._internal.backend._SUBMIT_AGAIN_AFTER_S", (0.0, 0.0))
    service.post(body(image="hold"))
    service.engine.up = False
    for answer in (
        service.get("chris-jid-1/"),
        service.delete("chris-jid-1/"),
        service.get("jobs/"),
        service.post(),
        service.post(body(jid="other")),
    ):
        assert message(answer, 503)
        assert "Retry-After" not in answer.headers
    assert service.get().status_code == 200, "what needs no engine works"
    assert service.post({}).status_code == 400
    service.engine.up = True
    assert (service.get("chris-jid-1/").json or {})["status"] == "started"


def test_the_wait_that_an_engine_asks_for_is_passed_on(start: Callable[..., Service]) -> None:
    class Busy(MemoryBackend):
        @hookimpl
        def pman_status(self, jid: str) -> JobInfo:
            raise EngineUnavailableError("busy", retry_after_s=1.2)

    answer = start(Busy({}, memory_engine())).get("x/")
    assert "busy" in message(answer, 503)
    assert answer.headers["Retry-After"] == "2"
