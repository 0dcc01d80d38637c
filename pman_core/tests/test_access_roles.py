"""What each role may do, and whose jobs a principal sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest
from access_helpers import Tokens, bearer
from rest_helpers import URL, Service, body
from werkzeug.test import TestResponse

from pman_core import Job, JobInfo, hookimpl
from pman_core.contract.access import UNRESTRICTED, Principal, Role
from pman_core.contract.errors import ForbiddenError, InvalidJobError
from pman_core.contract.info import JobFilter
from pman_core.contract.request import JobRequest
from pman_core.contract.service import Service as Jobs

Start = Callable[..., Service]

JOB = f"{URL}chris-jid-1/"

#: Each operation: what asks for it, and the code of its success on a job that exists.
OPERATIONS: Mapping[str, tuple[str, str, int]] = {
    "about": ("GET", URL, 200),
    "document": ("GET", "/openapi.json", 200),
    "list": ("GET", f"{URL}jobs/", 200),
    "status": ("GET", f"{JOB}?logs=no", 200),
    "logs": ("GET", JOB, 200),
    "submit": ("POST", URL, 201),
    "cancel": ("POST", f"{JOB}cancel/", 200),
    "remove": ("DELETE", JOB, 204),
}
READING = {"about", "document", "list", "status", "logs"}


@attrs.frozen
class Somebody:
    """Asks with one token."""

    service: Service
    token: str

    def ask(self, method: str, path: str, **how: Any) -> TestResponse:
        client = self.service.app.test_client()
        return client.open(path, method=method, headers=bearer(self.token), **how)

    def submit(self, **changes: Any) -> TestResponse:
        return self.ask("POST", URL, json=body(**changes))

    def jids(self, query: str = "") -> list[str]:
        return [job["jid"] for job in (self.ask("GET", f"{URL}jobs/{query}").json or {})["jobs"]]


# ------------------------------------------------------------------------- roles


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("role", list(Role))
def test_each_role_may_do_what_it_is_for(
    start: Start, tokens: Tokens, role: Role, operation: str
) -> None:
    mine, owner = tokens.add("mine", role), tokens.add("owner")
    service = start(**tokens.setting())
    assert Somebody(service, owner).submit(image="hold").status_code == 201
    method, path, success = OPERATIONS[operation]
    how = {"json": body(jid="other")} if operation == "submit" else {}
    answer = Somebody(service, mine).ask(method, path, **how)
    if role is Role.READ and operation not in READING:
        assert answer.status_code == 403
        needed = "mine has the role read; this needs the role submit"
        assert (answer.json or {})["message"] == needed
        assert Somebody(service, owner).jids() == ["chris-jid-1"]
        assert service.engine.records[next(iter(service.engine.records))].outcome is None  # type: ignore[union-attr]
    else:
        assert answer.status_code == success, answer.text


def test_every_operation_of_the_document_is_in_the_table(service: Service) -> None:
    paths = (service.app.test_client().get("/openapi.json").json or {})["paths"]
    served = {
        (method.upper(), path) for path in paths for method in paths[path] if method != "parameters"
    }
    tested = {
        (method, path.partition("?")[0].replace("chris-jid-1", "{jid}"))
        for method, path, _ in OPERATIONS.values()
    }
    assert served == tested | {("GET", "/healthz"), ("GET", "/readyz")}


def test_a_reader_is_refused_before_the_request_itself_is_looked_at(
    start: Start, tokens: Tokens
) -> None:
    reader = Somebody(start(**tokens.setting()), tokens.add("reader", Role.READ))
    for answer in (reader.ask("POST", URL, json={}), reader.ask("POST", URL, data="nonsense")):
        assert answer.status_code == 403


def test_roles_include_one_another_in_order() -> None:
    assert [[a.includes(b) for b in Role] for a in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


# ------------------------------------------------------------------------- owners


@pytest.fixture
def owned(start: Start, tokens: Tokens) -> Callable[..., Service]:
    """Starts a pman where jobs are visible to their owners."""

    def begin(**more: Any) -> Service:
        return start(**tokens.setting(), JOBS_VISIBLE_TO="owner", **more)

    return begin


@pytest.mark.parametrize("visible", ["all", "owner"])
def test_the_name_of_the_token_is_kept_with_the_job_as_its_owner(
    start: Start, tokens: Tokens, visible: str
) -> None:
    a = Somebody(start(**tokens.setting(), JOBS_VISIBLE_TO=visible), tokens.add("a"))
    assert (a.submit(image="hold").json or {})["owner"] == "a"
    assert a.service.job().owner == "a"
    assert (a.ask("GET", JOB).json or {})["owner"] == "a"
    assert [job["owner"] for job in (a.ask("GET", f"{URL}jobs/").json or {})["jobs"]] == ["a"]
    assert (a.ask("POST", f"{JOB}cancel/").json or {})["owner"] == "a"


def test_a_job_of_nobody_has_no_owner(service: Service) -> None:
    assert (service.post().json or {})["owner"] is None


def test_by_default_everybody_sees_the_jobs_of_all(start: Start, tokens: Tokens) -> None:
    a, b = (Somebody(start(**tokens.setting()), tokens.add(name)) for name in "ab")
    a.submit(jid="1", image="hold")
    b.submit(jid="2", image="hold")
    assert a.jids() == b.jids() == ["1", "2"]
    assert b.ask("GET", f"{URL}1/").status_code == 200
    assert (b.submit(jid="1", image="hold").json or {})["owner"] == "a"
    assert b.ask("DELETE", f"{URL}1/").status_code == 204


@pytest.mark.parametrize("operation", ["status", "logs", "cancel", "remove"])
@pytest.mark.parametrize("keep", ["yes", "no"])
def test_a_foreign_job_is_answered_as_an_unknown_one(
    owned: Callable[..., Service], tokens: Tokens, operation: str, keep: str
) -> None:
    service = owned(REMOVE_JOBS=keep)
    a, b = (Somebody(service, tokens.add(name)) for name in "ab")
    a.submit(image="hold")
    method, path, success = OPERATIONS[operation]
    foreign = b.ask(method, path)
    unknown = b.ask(method, path.replace("chris-jid-1", "chris-jid-2"))
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert foreign.text == unknown.text.replace("chris-jid-2", "chris-jid-1")
    record = next(iter(service.engine.records.values()))
    assert record
    assert record.outcome is None, "it runs on"
    assert a.ask(method, path).status_code == success


def test_lists_hold_own_jobs_only_page_by_page(
    owned: Callable[..., Service], tokens: Tokens
) -> None:
    service = owned()
    a, b, c = (Somebody(service, tokens.add(name)) for name in ("a", "b", "c"))
    for number in range(6):
        (a, b)[number % 2].submit(jid=f"j{number}", image="hold")
    assert a.jids() == ["j0", "j2", "j4"]
    assert b.jids("?status=started") == ["j1", "j3", "j5"]
    assert c.jids() == []
    page = a.ask("GET", f"{URL}jobs/?limit=2").json or {}
    assert [job["jid"] for job in page["jobs"]] == ["j0", "j2"]
    assert a.jids(f"?limit=2&cursor={page['next']}") == ["j4"]


def test_an_admin_sees_cancels_and_removes_the_jobs_of_all(
    owned: Callable[..., Service], tokens: Tokens
) -> None:
    service = owned()
    a, admin = Somebody(service, tokens.add("a")), Somebody(service, tokens.add("x", Role.ADMIN))
    a.submit(image="hold")
    assert admin.jids() == ["chris-jid-1"]
    for operation in ("status", "logs", "cancel", "remove"):
        method, path, success = OPERATIONS[operation]
        assert admin.ask(method, path).status_code == success


def test_a_reader_sees_what_its_own_name_has_submitted(
    owned: Callable[..., Service], tokens: Tokens
) -> None:
    service = owned()
    Somebody(service, tokens.add("a")).submit(image="hold")
    Somebody(service, tokens.add("b")).submit(jid="other", image="hold")
    assert Somebody(service, tokens.add("a", Role.READ)).jids() == ["chris-jid-1"]


def test_jobs_without_an_owner_are_those_of_admins(
    start: Start, owned: Callable[..., Service], tokens: Tokens
) -> None:
    start().post(body(image="hold"))  # before there were tokens
    service = owned()
    a, admin = Somebody(service, tokens.add("a")), Somebody(service, tokens.add("x", Role.ADMIN))
    assert (a.jids(), admin.jids()) == ([], ["chris-jid-1"])
    assert a.ask("GET", JOB).status_code == 404


# ------------------------------------------------------------------------- names that are taken


def test_a_name_that_somebody_else_has_taken_is_409_whatever_the_request(
    owned: Callable[..., Service], tokens: Tokens
) -> None:
    service = owned()
    a, b = (Somebody(service, tokens.add(name)) for name in "ab")
    a.submit(image="hold")
    equal, other = b.submit(image="hold"), b.submit(image="local")
    assert (equal.status_code, other.status_code) == (409, 409)
    assert (equal.text, str(equal.headers)) == (other.text, str(other.headers))
    assert "hold" not in equal.text
    assert a.submit(image="hold").status_code == 201, "its owner finds it again"
    assert service.job().owner == "a"


class Refusing:
    """A policy that changes its mind."""

    refuses = False

    @hookimpl
    def pman_admit(self, job: Job) -> None:
        if self.refuses:
            raise InvalidJobError("not on Sundays")


def test_a_request_that_is_refused_now_tells_nothing_of_a_foreign_job(
    owned: Callable[..., Service], tokens: Tokens
) -> None:
    """It is answered as for a name that nobody has taken, whatever the request."""
    policy = Refusing()
    service = owned(extensions=(policy,))
    a, b = (Somebody(service, tokens.add(name)) for name in "ab")
    a.submit(image="hold")
    policy.refuses = True
    answers = [
        b.submit(image="hold"),
        b.submit(image="local"),
        b.submit(jid="free"),
    ]
    assert {(one.status_code, one.text) for one in answers} == {(400, answers[0].text)}
    assert a.submit(image="hold").status_code == 201, "its owner learns what became of it"


# ------------------------------------------------------------------------- who else is told


@attrs.define(eq=False)
class Observer:
    """Notes what it is told of."""

    told: list[str] = attrs.field(factory=list)

    @hookimpl
    def pman_submitted(self, job: Job, info: JobInfo) -> None:
        self.told.append(f"submitted {job.jid}")

    @hookimpl
    def pman_removed(self, jid: str) -> None:
        self.told.append(f"removed {jid}")

    @hookimpl
    def pman_finished(self, info: JobInfo) -> None:
        self.told.append(f"finished {info.jid}")


def test_observers_are_told_nothing_when_somebody_asks_for_what_is_not_visible(
    owned: Callable[..., Service], tokens: Tokens
) -> None:
    observer = Observer()
    service = owned(extensions=(observer,))
    a, b = (Somebody(service, tokens.add(name)) for name in "ab")
    a.submit(image="local")
    record = next(iter(service.engine.records.values()))
    assert record
    record.kill.wait(20)
    assert observer.told == ["submitted chris-jid-1"]
    b.submit(image="local")
    for operation in ("status", "logs", "list", "cancel", "remove"):
        method, path, _ = OPERATIONS[operation]
        b.ask(method, path)
    assert observer.told == ["submitted chris-jid-1"]
    a.ask("GET", JOB)
    a.ask("DELETE", JOB)
    assert observer.told == ["submitted chris-jid-1", "finished chris-jid-1", "removed chris-jid-1"]


# ------------------------------------------------------------------------- extensions


def request(jid: str) -> JobRequest:
    return JobRequest(
        jid=jid, image="hold", entrypoint=("x",), cpu_limit=1000, memory_limit=200,
        input_dir="in", output_dir="out",
    )  # fmt: skip


def test_the_service_of_extensions_acts_for_who_asks_and_else_for_pman_itself(
    owned: Callable[..., Service], tokens: Tokens
) -> None:
    tokens.add("a")
    pman = owned().pman
    a, b = (Principal(name, Role.SUBMIT) for name in "ab")
    as_a, as_b, as_pman = (
        Jobs(lambda who=who: pman.jobs.by(who))  # type: ignore[misc]
        for who in (a, b, UNRESTRICTED)
    )
    info = as_a.submit(request("1"))
    assert (info.owner, as_a.principal, as_pman.principal) == ("a", a, UNRESTRICTED)
    assert as_pman.status("1").owner == "a"
    assert [found.jid for found in as_pman.list(JobFilter(), 10).jobs] == ["1"]
    as_b.submit(request("2"))
    assert [found.jid for found in as_b.list(JobFilter(), 10).jobs] == ["2"]
    assert as_b.list(JobFilter(owner="a"), 10).jobs == ()


def test_who_sees_own_jobs_only_submits_none_for_somebody_else(
    owned: Callable[..., Service], tokens: Tokens
) -> None:
    """It could never look at them; that it was made would be answered as a conflict."""
    tokens.add("a")
    service = owned()
    jobs = Jobs(lambda: service.pman.jobs.by(Principal("a", Role.SUBMIT)))
    with pytest.raises(ForbiddenError, match="a may not submit for 'b'"):
        jobs.submit(request("1"), owner="b")
    assert not service.engine.records
    assert jobs.submit(request("1"), owner="a").owner == "a"
