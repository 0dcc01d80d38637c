"""Values of ``env`` may be tokens: no log and no answer holds them."""

import json
import logging
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from rest_helpers import Service, body

from pman_core import Job, JobFilter, JobInfo, JobPage, hookimpl
from pman_core.contract.errors import (
    EngineUnavailableError,
    InvalidJobError,
    NameTakenError,
    UnsupportedError,
)
from pman_core.log_lines import SafeFormatter
from pman_core.testing import MemoryBackend

SECRET = "s3cr3t-t0ken"  # noqa: S105
ENV = [f"CHRIS_USER_TOKEN={SECRET}"]

REQUESTS: dict[str, Any] = {
    "good": {"env": ENV},
    "other fault": {"env": ENV, "cpu_limit": -1, "jid": ""},
    "no list": {"env": ENV[0]},
    "object": {"env": {"TOKEN": SECRET}},
    "no pair": {"env": [SECRET]},
    "no key": {"env": ["=" + SECRET]},
    "NUL": {"env": [ENV[0] + "\0"]},
    "surrogate": {"env": [ENV[0] + "\ud800"]},
    "too long": {"env": [ENV[0] * 10_000]},
    "nested": {"env": [[ENV[0]], [SECRET]]},
    "last item": {"env": [*ENV, None]},
    "foreign name": {"env": ENV, "jid": "taken"},
    "no such image": {"env": ENV, "image": "missing"},
    "no such directory": {"env": ENV, "input_dir": "missing"},
}


def check(service: Service, caplog: pytest.LogCaptureFixture, *answers: Any) -> None:
    for answer in answers:
        assert SECRET not in answer.text
        assert SECRET not in str(answer.headers)
    caplog.handler.setFormatter(logging.Formatter("%(message)s %(args)s %(exc_text)s"))
    assert SECRET not in caplog.text
    for record in caplog.records:
        assert SECRET not in logging.Formatter().format(record)


@pytest.mark.parametrize("name", REQUESTS)
def test_no_request_makes_pman_show_a_value(
    start: Callable[..., Service], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    service = start(APPLICATION_MODE="development")
    service.engine.records["taken"] = None
    with caplog.at_level(logging.DEBUG):
        answers = [service.post(body(**REQUESTS[name])) for _ in range(2)]
        answers.append(service.post(body(env=["CHRIS_USER_TOKEN=other"])))
        answers += [service.get("chris-jid-1/"), service.get("jobs/")]
        answers.append(service.delete("chris-jid-1/"))
    assert all(answer.status_code < 500 for answer in answers)
    check(service, caplog, *answers)


def test_malformed_json_is_reported_without_its_text(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = [
            service.post(data=raw, content_type="application/json")
            for raw in (f'{{"env": ["A={SECRET}"', f'["{SECRET}"]', f'{{"env": {SECRET}}}')
        ]
    assert [answer.status_code for answer in answers] == [400] * 3
    check(service, caplog, *answers)


class Faulty(MemoryBackend):
    """Fails in one of the ways in which a plugin can, with the job in its hands."""

    fault: object = None

    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        if isinstance(self.fault, Exception):
            raise self.fault
        return self.fault  # type: ignore[return-value]


@pytest.mark.parametrize(
    "fault",
    [None, ENV[0], {"env": ENV}, RuntimeError("out of cheese"), EngineUnavailableError("down")],
    ids=lambda fault: type(fault).__name__,
)
def test_a_faulty_plugin_does_not_make_pman_show_a_value(
    start: Callable[..., Service], caplog: pytest.LogCaptureFixture, fault: object
) -> None:
    plugin = Faulty({})
    plugin.fault = fault
    service = start(plugin)
    with caplog.at_level(logging.DEBUG):
        answer = service.post(body(env=ENV))
    assert answer.status_code in (500, 503)
    check(service, caplog, answer)


def test_no_value_is_in_what_python_shows_of_a_job(service: Service) -> None:
    service.post(body(env=ENV))
    job = service.job()
    assert SECRET not in f"{job} {job!r}"
    assert "CHRIS_USER_TOKEN" in repr(job)


#: Another value of the environment, which Python would not quote as it is.
AWKWARD = 'it\'s a "token"\n'

QUOTES = {
    "word": SECRET,
    "sentence": f"the engine did not like TOKEN={SECRET}, nor {SECRET!r}",
    "awkward": f"in {AWKWARD}",  # some of the errors below quote it
    "longer first": f"{SECRET}-and-more",
}


def quoting(text: str) -> list[Exception]:
    """Every kind of error that has a message, with this one."""
    caused = RuntimeError("failed")
    caused.__cause__ = ValueError(text)
    return [
        InvalidJobError(text),
        InvalidJobError(faults={"env": text}),
        UnsupportedError(text),
        NameTakenError(text, text),
        EngineUnavailableError(text),
        RuntimeError(text),
        KeyError(text),
        caused,
    ]


@pytest.mark.parametrize("hook", ["pman_submit", "pman_validate", "pman_admit", "pman_submitted"])
@pytest.mark.parametrize("quote", QUOTES.values(), ids=QUOTES)
@pytest.mark.parametrize("kind", range(len(quoting(""))))
def test_a_plugin_that_quotes_a_value_does_not_make_pman_show_it(
    start: Callable[..., Service],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    hook: str,
    quote: str,
    kind: int,
) -> None:
    monkeypatch.setattr("pman_core._internal.backend._SUBMIT_AGAIN_AFTER_S", (0.0,))
    error = quoting(quote)[kind]

    def quotes(self: object, job: Job) -> None:
        if job.env:
            raise error

    plugin = type("Quoting", (MemoryBackend,), {hook: hookimpl(quotes)})({})
    service = start(plugin)
    with caplog.at_level(logging.DEBUG):
        answer = service.post(body(env=[*ENV, f"A={AWKWARD}", f"B={SECRET}-and-more", "C=no"]))
    assert answer.status_code in ((201,) if hook == "pman_submitted" else (400, 409, 500, 503))
    check(service, caplog, answer)
    for told in (answer.text, caplog.text):
        assert "and-more" not in told
        assert 'a "token"' not in told.replace("\\", "")
    assert "***" in answer.text + caplog.text


def test_short_values_do_not_spoil_messages(start: Callable[..., Service]) -> None:
    class Talking(MemoryBackend):
        @hookimpl
        def pman_submit(self, job: Job) -> JobInfo:
            raise InvalidJobError("no more than 1000 jobs")

    answer = start(Talking({})).post(body(env=["A=1000", "B=", "C=jobs"]))
    assert answer.json == {"message": "no more than 1000 jobs"}


@pytest.mark.parametrize("value", ["1", AWKWARD, SECRET])
def test_a_state_that_quotes_what_was_submitted_does_not_make_pman_show_a_value(
    start: Callable[..., Service], value: str
) -> None:
    class Quoting(MemoryBackend):
        @hookimpl
        def pman_submit(self, job: Job) -> JobInfo:
            quoted = json.dumps({"Env": [f"{name}={value}" for name, value in job.env.items()]})
            return attrs.evolve(super().pman_submit(job), message=f"bad body: {quoted}")

    answer = start(Quoting({})).post(body(env=[f"A={value}"]))
    assert (answer.json or {})["message"] == 'bad body: {"Env": ["A=***"]}'


LOGIN = "me:hush"
ADDRESS = f"tcp://{LOGIN}@engine:1/x@y"


@pytest.mark.parametrize("quote", [f"no answer from {ADDRESS}", f"of '{ADDRESS}' and {ADDRESS}"])
@pytest.mark.parametrize("kind", range(len(quoting(""))))
def test_a_plugin_that_quotes_an_address_does_not_make_pman_show_its_login(
    start: Callable[..., Service],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    quote: str,
    kind: int,
) -> None:
    monkeypatch.setattr("pman_core._internal.backend._SUBMIT_AGAIN_AFTER_S", (0.0,))

    class Quoting(MemoryBackend):
        @hookimpl
        def pman_submit(self, job: Job) -> JobInfo:
            raise quoting(quote)[kind]

    service = start(Quoting({}))
    with caplog.at_level(logging.DEBUG):
        answer = service.post(body())
    told = [answer.text, *map(SafeFormatter().format, caplog.records)]
    assert answer.status_code >= 400
    assert not [line for line in told if LOGIN in line]
    assert any("tcp://***@engine:1/x@y" in line for line in told)


def test_the_state_of_a_job_and_of_the_engine_holds_no_login(start: Callable[..., Service]) -> None:
    class Quoting(MemoryBackend):
        @hookimpl
        def pman_ping(self) -> str:
            return f"engine 1 at {ADDRESS}"

        @hookimpl
        def pman_status(self, jid: str) -> JobInfo:
            return attrs.evolve(super().pman_status(jid), message=f"proxy {ADDRESS} is down")

        @hookimpl
        def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
            page = super().pman_list(job_filter, limit, cursor)
            return JobPage(tuple(self.pman_status(info.jid) for info in page.jobs))

    service = start(Quoting({}))
    assert service.post(body()).status_code == 201
    answers = [service.get("chris-jid-1/"), service.get("jobs/"), service.get("")]
    assert [answer.status_code for answer in answers] == [200] * 3
    for answer in answers:
        assert LOGIN not in answer.text
    assert "tcp://***@engine:1/x@y" in answers[0].text
