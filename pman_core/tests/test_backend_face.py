"""The face of the backend lets nothing through that the contract forbids."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from rest_helpers import Service, body

from pman_core import Capabilities, HostPath, JobFilter, JobInfo, JobPage, Status, hookimpl
from pman_core._internal.backend import Backend
from pman_core._internal.registry import new_manager, register_backend
from pman_core.contract.errors import (
    ClientError,
    EngineUnavailableError,
    InvalidJobError,
    PluginFaultError,
    UnknownJobError,
)
from pman_core.contract.job import Job
from pman_core.rest.errors import STATUS
from pman_core.testing import MemoryBackend

TOKEN = "t0ken-in-env"  # noqa: S105
JOB = Job(jid="j1", image="local", argv=("a",), env={"TOKEN": TOKEN})
INFO = JobInfo(
    jid="j1", image="local", argv=(), status=Status.STARTED, message="", fingerprint="v1-x"
)
FOREIGN = JobInfo(
    jid="other", image="local", argv=(), status=Status.STARTED, message="", fingerprint="v1-x"
)


def face(**hooks: Any) -> Backend:
    """A backend whose hooks do what these functions do."""
    marked = {name: hook and hookimpl(hook) for name, hook in hooks.items()}
    manager = new_manager()
    register_backend(manager, type("Plugin", (MemoryBackend,), marked)({}), "acme")
    return Backend(manager, "acme")


def raising(error: Exception) -> Callable[..., Any]:
    def hook(self: object) -> object:
        raise error

    return hook


def answering(answer: object) -> Callable[..., Any]:
    return lambda self: answer


#: Each hook, how it is called, and what it must answer.
CALLS: dict[str, Callable[[Backend], object]] = {
    "pman_submit": lambda backend: backend.submit(JOB),
    "pman_status": lambda backend: backend.status("j1"),
    "pman_logs": lambda backend: backend.logs(INFO, 1, 1),
    "pman_remove": lambda backend: backend.remove("j1"),
    "pman_list": lambda backend: backend.list(JobFilter(), 1, None),
    "pman_ping": lambda backend: backend.ping(),
    "pman_capabilities": lambda backend: backend.capabilities,
}
GOOD: dict[str, object] = {
    "pman_submit": INFO,
    "pman_status": INFO,
    "pman_logs": b"log",
    "pman_remove": True,
    "pman_list": JobPage((INFO,)),
    "pman_ping": "pong",
    "pman_capabilities": Capabilities(mounts={HostPath}, freshness_s=2.0),
}
BAD = [
    (hook, answer)
    for hook, good in GOOD.items()
    for answer in (None, {"TOKEN": TOKEN}, TOKEN, b"x", 1, True, INFO, ())
    if type(answer) is not type(good)
]


@pytest.mark.parametrize("hook", CALLS)
def test_a_good_answer_is_passed_on(hook: str) -> None:
    assert CALLS[hook](face(**{hook: answering(GOOD[hook])})) == GOOD[hook]


@pytest.mark.parametrize(("hook", "answer"), BAD, ids=lambda value: str(value)[:16])
def test_an_answer_of_the_wrong_type_is_a_fault_of_the_plugin(hook: str, answer: object) -> None:
    with pytest.raises(PluginFaultError) as caught:
        CALLS[hook](face(**{hook: answering(answer)}))
    assert hook in str(caught.value)
    assert "'acme'" in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("hook", CALLS)
@pytest.mark.parametrize("error", [RuntimeError(TOKEN), KeyError(TOKEN), NotImplementedError()])
def test_an_arbitrary_exception_is_a_fault_of_the_plugin(hook: str, error: Exception) -> None:
    with pytest.raises(PluginFaultError) as caught:
        CALLS[hook](face(**{hook: raising(error)}))
    assert type(error).__name__ in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("hook", ["pman_submit", "pman_status"])
def test_an_answer_about_another_job_is_a_fault_of_the_plugin(hook: str) -> None:
    with pytest.raises(PluginFaultError, match="'other' instead of 'j1'"):
        CALLS[hook](face(**{hook: answering(FOREIGN)}))


def test_a_status_that_is_only_a_word_is_a_fault_of_the_plugin() -> None:
    wrong = JobInfo(
        jid="j1",
        image="",
        argv=(),
        status="started",  # type: ignore[arg-type]
        message="",
        fingerprint="",
    )
    with pytest.raises(PluginFaultError, match="no Status"):
        face(pman_status=answering(wrong)).status("j1")


def test_a_message_that_is_no_text_is_a_fault_of_the_plugin() -> None:
    wrong = attrs.evolve(INFO, message=None)  # type: ignore[arg-type]
    with pytest.raises(PluginFaultError, match="no text"):
        face(pman_status=answering(wrong)).status("j1")


def test_a_page_that_holds_something_else_is_a_fault_of_the_plugin() -> None:
    page = JobPage(({"jid": "j1"},))  # type: ignore[arg-type]
    with pytest.raises(PluginFaultError):
        face(pman_list=answering(page)).list(JobFilter(), 1, None)


@pytest.mark.parametrize("hook", set(CALLS) - {"pman_submit", "pman_capabilities"})
@pytest.mark.parametrize(
    "error", [InvalidJobError("x"), UnknownJobError("x"), EngineUnavailableError("x")]
)
def test_the_errors_of_the_contract_are_passed_on(hook: str, error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        CALLS[hook](face(**{hook: raising(error)}))
    assert caught.value is error


def flickering(times: int, calls: list[Job]) -> Callable[..., Any]:
    def pman_submit(self: object, job: Job) -> JobInfo:
        calls.append(job)
        if len(calls) <= times:
            raise EngineUnavailableError("flicker")
        return INFO

    return pman_submit


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_submission_is_tried_again_while_the_engine_flickers(
    monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr("pman_core._internal.backend._SUBMIT_AGAIN_AFTER_S", (0.0, 0.0))
    calls: list[Job] = []
    assert face(pman_submit=flickering(times, calls)).submit(JOB) == INFO
    assert calls == [JOB] * (times + 1)


def test_a_submission_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pman_core._internal.backend._SUBMIT_AGAIN_AFTER_S", (0.0, 0.0))
    calls: list[Job] = []
    with pytest.raises(EngineUnavailableError, match="flicker"):
        face(pman_submit=flickering(99, calls)).submit(JOB)
    assert len(calls) == 3


@pytest.mark.parametrize("error", [InvalidJobError("no"), RuntimeError("no")])
def test_a_submission_that_fails_otherwise_is_not_tried_again(error: Exception) -> None:
    calls = []

    def pman_submit(self: object, job: Job) -> JobInfo:
        calls.append(job)
        raise error

    with pytest.raises((ClientError, PluginFaultError)):
        face(pman_submit=pman_submit).submit(JOB)
    assert len(calls) == 1


@pytest.mark.parametrize("declared", [2.0, None])
def test_a_feed_and_its_freshness_are_declared_together(declared: float | None) -> None:
    capabilities = Capabilities(mounts={HostPath}, freshness_s=declared)
    feed = None if declared else answering(iter(()))
    with pytest.raises(PluginFaultError, match="pman_watch"):
        face(pman_capabilities=answering(capabilities), pman_watch=feed)


def test_a_backend_without_optional_hooks_is_asked_nothing() -> None:
    capabilities = answering(Capabilities(mounts={HostPath}))
    backend = face(pman_capabilities=capabilities, pman_watch=None)
    backend.validate(JOB)
    assert backend.watch(2.0) is None


def test_a_fault_of_a_plugin_is_a_500_that_names_the_backend(
    start: Callable[..., Service],
) -> None:
    class Silent(MemoryBackend):
        @hookimpl
        def pman_status(self, jid: str) -> Any:
            return None

    answer = start(Silent({})).get("j1/")
    assert answer.status_code == STATUS[PluginFaultError] == 500
    assert answer.json is not None
    assert "'memory' broke its contract: pman_status answered NoneType" in answer.json["message"]


def test_removal_reports_unknown_only_where_the_backend_does(start: Callable[..., Service]) -> None:
    service = start()
    service.post(body(image="hold"))
    assert service.delete("other/").status_code == 404
    assert service.delete("chris-jid-1/").status_code == 204
