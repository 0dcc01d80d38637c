"""Admission and observation: policies fail closed, observers never fail a request."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from rest_helpers import Service, body

from pman_core import Job, JobInfo, hookimpl
from pman_core._internal.tokens import Token, append_token
from pman_core.contract.access import UNRESTRICTED, Principal, Role
from pman_core.contract.errors import (
    EngineUnavailableError,
    InvalidJobError,
    TooManyRequestsError,
)
from pman_core.contract.info import JobFilter
from pman_core.contract.service import Service as Jobs
from pman_core.testing import MemoryBackend, MemoryEngine


@attrs.define(eq=False)
class Policy:
    """Does with each job what a function says."""

    rule: Callable[[Job], Any]

    @hookimpl
    def pman_admit(self, job: Job) -> Any:
        return self.rule(job)


def labelled(key: str) -> Policy:
    """A policy that adds a label, which holds the labels that were there before."""
    return Policy(lambda job: attrs.evolve(job, labels={**job.labels, key: "".join(job.labels)}))


def fails(error: Exception) -> Policy:
    def rule(job: Job) -> Job:
        raise error

    return Policy(rule)


def text(answer: Any, code: int) -> str:
    assert answer.status_code == code, answer.data
    return str(answer.json["message"])


def test_policies_are_asked_in_order_and_each_sees_the_change_before(
    start: Callable[..., Service],
) -> None:
    service = start(extensions=(labelled("a"), Policy(lambda job: None), labelled("b")))
    assert service.post().status_code == 201
    assert service.job().labels == {"a": "", "b": "a"}


def test_a_policy_that_refuses_is_a_400_with_its_words(start: Callable[..., Service]) -> None:
    service = start(extensions=(fails(InvalidJobError("not on Sundays")), labelled("a")))
    assert text(service.post(), 400) == "not on Sundays"
    assert not service.engine.records


@pytest.mark.parametrize(
    "policy",
    [
        fails(RuntimeError("crash")),
        Policy(lambda job: "yes"),
        Policy(lambda job: True),
        Policy(lambda job: attrs.evolve(job, jid="other")),
        Policy(lambda job: attrs.evolve(job, fingerprint="v1-other")),
    ],
    ids=["crash", "wrong type", "true", "other jid", "other fingerprint"],
)
def test_a_policy_that_breaks_its_contract_fails_closed(
    start: Callable[..., Service], policy: Policy
) -> None:
    service = start(extensions=(labelled("a"), policy))
    assert "ext" in text(service.post(), 500)
    assert not service.engine.records


def test_a_policy_whose_own_service_is_down_is_503(start: Callable[..., Service]) -> None:
    service = start(extensions=(fails(EngineUnavailableError("no quota service")),))
    assert "no quota service" in text(service.post(), 503)
    assert not service.engine.records


def test_a_job_that_a_policy_changed_is_validated_again(
    start: Callable[..., Service], engine: MemoryEngine
) -> None:
    class Strict(MemoryBackend):
        @hookimpl
        def pman_validate(self, job: Job) -> None:
            if "a" in job.labels:
                raise InvalidJobError("no label may be called a")

    service = start(Strict({}, engine), extensions=(labelled("a"),))
    assert "no label" in text(service.post(), 400)
    assert not service.engine.records


def test_a_change_by_a_policy_does_not_make_a_retry_another_request(
    start: Callable[..., Service],
) -> None:
    start(extensions=(labelled("a"),)).post()
    assert start(extensions=(labelled("b"),)).post().status_code == 201


@attrs.define(eq=False)
class OneAtATime:
    """Refuses a job for now while another one has not ended, whosoever that is."""

    asked: list[Principal] = attrs.field(factory=list)

    @hookimpl
    def pman_admit(self, job: Job, service: Jobs) -> None:
        self.asked.append(service.principal)
        if any(not info.status.is_final for info in service.list(JobFilter(), 100).jobs):
            raise TooManyRequestsError("one job at a time", 7)


def test_a_policy_may_look_at_all_jobs_whosoever_asks(
    start: Callable[..., Service], tmp_path: Path
) -> None:
    tokens = {name: Token.new(name, Role.SUBMIT, None) for name in ("ann", "bob")}
    for _, line in tokens.values():
        append_token(tmp_path / "tokens", line)
    policy = OneAtATime()
    known = {"AUTH_TOKENS_FILE": f"{tmp_path}/tokens", "JOBS_VISIBLE_TO": "owner"}
    service = start(extensions=(policy,), **known)
    ann, bob = ({"Authorization": f"Bearer {made}"} for made, _ in tokens.values())
    assert service.post(body(image="hold"), headers=ann).status_code == 201
    refused = service.post(body(jid="other"), headers=bob)
    assert text(refused, 429) == "one job at a time"
    assert refused.headers["Retry-After"] == "7"
    assert policy.asked == [UNRESTRICTED, UNRESTRICTED]
    assert list(service.engine.records) == ["chris-jid-1"]


def test_an_equal_request_finds_its_job_where_a_policy_refuses_it_for_now(
    start: Callable[..., Service],
) -> None:
    service = start(extensions=(OneAtATime(),))
    for _ in range(2):
        assert service.post(body(image="hold")).status_code == 201
    assert service.post(body(jid="other")).status_code == 429


@attrs.define(eq=False)
class Notebook:
    """Keeps what it is called with; raises ``fault`` if it has one."""

    fault: Exception | None = None
    notes: list[tuple[str, str]] = attrs.field(factory=list)

    def note(self, kind: str, jid: str) -> None:
        self.notes.append((kind, jid))
        if self.fault:
            raise self.fault

    @hookimpl
    def pman_submitted(self, job: Job, info: JobInfo) -> None:
        self.note("submitted", job.jid)

    @hookimpl
    def pman_removed(self, jid: str) -> None:
        self.note("removed", jid)

    @hookimpl
    def pman_finished(self, info: JobInfo) -> None:
        assert info.status.is_final
        self.note("finished", info.jid)


@pytest.mark.parametrize("fault", [None, RuntimeError("x"), InvalidJobError("too late")])
def test_observers_are_called_and_their_faults_fail_no_request(
    start: Callable[..., Service], fault: Exception | None
) -> None:
    first, second = Notebook(fault), Notebook()
    service = start(extensions=(first, second))
    assert service.post(body(image="hold")).status_code == 201
    assert service.delete("chris-jid-1/").status_code == 204
    assert service.delete("chris-jid-1/").status_code == 404
    told = [("submitted", "chris-jid-1"), ("removed", "chris-jid-1")]
    assert first.notes == second.notes == told


def test_a_job_that_was_not_submitted_is_not_reported(start: Callable[..., Service]) -> None:
    notebook = Notebook()
    service = start(extensions=(notebook,))
    service.post(body(cpu_limit=0))
    service.engine.records["chris-jid-1"] = None
    assert service.post().status_code == 409
    assert notebook.notes == []


def finished(notebook: Notebook) -> int:
    return sum(kind == "finished" for kind, _ in notebook.notes)


def test_an_end_is_reported_once_however_often_it_is_seen(start: Callable[..., Service]) -> None:
    notebook = Notebook()
    service = start(extensions=(notebook,))
    service.post()
    service.ended("chris-jid-1")
    for _ in range(5):
        service.get("chris-jid-1/")
        service.get("jobs/")
        service.post()
    assert finished(notebook) == 1


def test_each_process_reports_the_end_that_it_sees(start: Callable[..., Service]) -> None:
    first, second = Notebook(), Notebook()
    service, other = start(extensions=(first,)), start(extensions=(second,))
    service.post(body(image="fail"))
    service.ended("chris-jid-1")
    assert (finished(first), finished(second)) == (1, 0)
    other.get("jobs/")
    assert (finished(first), finished(second)) == (1, 1)


@pytest.mark.parametrize("image", ["local", "fail"])
def test_the_end_of_a_second_job_of_a_jid_is_reported_too(
    start: Callable[..., Service], image: str
) -> None:
    first, second = Notebook(), Notebook()
    service, other = start(extensions=(first,)), start(extensions=(second,))
    service.post()
    service.ended("chris-jid-1")
    other.delete("chris-jid-1/")  # by another process, which the first one does not hear of
    other.post(body(image=image))
    service.ended("chris-jid-1")
    assert finished(first) == 2
