"""What goes on beside the requests: the engine's own news, and what was left undone."""

import logging
import operator
from collections.abc import Callable, Iterator
from functools import partial

import attrs
import pytest
from rest_helpers import Service, body, until

from pman_core import JobInfo, Status, hookimpl
from pman_core._internal.backend import Backend
from pman_core._internal.background import until_done
from pman_core._internal.observers import Observers, watch_ends
from pman_core._internal.registry import new_manager, register_backend, register_extension
from pman_core.contract.errors import EngineUnavailableError, PluginFaultError
from pman_core.testing import MemoryBackend, MemoryEngine


@attrs.define(eq=False)
class Notebook:
    """Keeps the ends that it is called with."""

    ends: list[str] = attrs.field(factory=list)

    @hookimpl
    def pman_finished(self, info: JobInfo) -> None:
        self.ends.append(info.jid)


class Watching(MemoryBackend):
    """Pushes the end of each job."""

    @hookimpl
    def pman_watch(self) -> Iterator[JobInfo]:
        for record in list(self._engine.records.values()):
            if record:
                yield until(partial(self._info, record), lambda info: info.status.is_final)


def test_what_the_engine_pushes_is_reported_without_any_poll(
    start: Callable[..., Service], engine: MemoryEngine
) -> None:
    start().post(body(image="fail"))
    notebook = Notebook()
    start(Watching({}, engine), extensions=(notebook,))
    until(lambda: list(notebook.ends), bool)
    assert notebook.ends == ["chris-jid-1"]


def watched(*answers: Iterator[JobInfo] | Exception | None) -> list[str]:
    """The ends that are reported while the stream is opened so often, with these answers."""
    notebook = Notebook()
    manager = new_manager()
    register_extension(manager, notebook, "notebook")
    left = list(answers)

    def watch() -> Iterator[JobInfo] | None:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    thread = watch_ends(watch, Observers(manager), pause_s=0)
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert left == []
    return notebook.ends


def end(jid: str) -> JobInfo:
    return JobInfo(jid=jid, image="", argv=(), status=Status.FAILED, message="", fingerprint="")


def breaking(*news: JobInfo) -> Iterator[JobInfo]:
    yield from news
    raise EngineUnavailableError("gone")


def test_a_backend_that_cannot_watch_is_asked_once() -> None:
    assert watched(None) == []


def test_a_stream_that_ends_breaks_or_cannot_be_opened_is_opened_again() -> None:
    streams = (iter([end("a")]), EngineUnavailableError("down"), breaking(end("b")))
    assert watched(*streams, iter([end("a"), end("c")]), None) == ["a", "b", "c"]


def test_nothing_is_watched_without_observers(start: Callable[..., Service]) -> None:
    streams: list[None] = []

    class Counting(MemoryBackend):
        @hookimpl
        def pman_watch(self) -> Iterator[JobInfo]:
            streams.append(None)
            return iter(())

    start(Counting({}))
    assert streams == []


def test_what_was_left_undone_is_gone_on_with_when_pman_begins_to_serve(
    start: Callable[..., Service],
) -> None:
    calls: list[None] = []

    class Resuming(MemoryBackend):
        @hookimpl
        def pman_resume(self) -> None:
            calls.append(None)

    start(Resuming({}))
    until(lambda: list(calls), bool)


def test_what_was_left_undone_is_gone_on_with_when_the_engine_is_back(
    start: Callable[..., Service], engine: MemoryEngine
) -> None:
    calls: list[None] = []

    class Resuming(MemoryBackend):
        @hookimpl
        def pman_resume(self) -> None:
            calls.append(None)

    service = start(Resuming({}, engine))
    until(lambda: len(calls), lambda count: count == 1)
    assert service.get("nobody/").status_code == 404
    for count in (2, 3):
        engine.up = False
        assert [service.get("nobody/").status_code for _ in range(3)] == [503] * 3
        engine.up = True
        assert [service.get("nobody/").status_code for _ in range(3)] == [404] * 3
        until(partial(len, calls), partial(operator.eq, count))


def test_a_backend_may_ask_to_be_called_again(start: Callable[..., Service]) -> None:
    answers = [0.01, 0.01, None]
    calls: list[None] = []

    class Resuming(MemoryBackend):
        @hookimpl
        def pman_resume(self) -> float | None:
            calls.append(None)
            return answers[len(calls) - 1]

    start(Resuming({}))
    until(partial(len, calls), partial(operator.eq, len(answers)))


@pytest.mark.parametrize("answer", [0, -1.0, "soon"])
def test_only_a_number_of_seconds_asks_for_another_call(answer: object) -> None:
    class Resuming(MemoryBackend):
        @hookimpl
        def pman_resume(self) -> object:
            return answer

    manager = new_manager()
    register_backend(manager, Resuming({}), "resuming")
    with pytest.raises(PluginFaultError, match="seconds"):
        Backend(manager, "resuming").resume()


def test_an_engine_that_stays_down_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    faults = [EngineUnavailableError(text) for text in ("down", "down", "down", "slow")]

    def work() -> None:
        if faults:
            raise faults.pop(0)

    until_done("work", work, pause_s=0).join(timeout=20)
    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert [text.rpartition(" ")[2] for text in warnings] == ["down", "slow"]


def test_an_engine_that_is_down_at_the_start_does_not_hinder_it(
    start: Callable[..., Service],
) -> None:
    class Down(MemoryBackend):
        @hookimpl
        def pman_resume(self) -> None:
            raise EngineUnavailableError("down")

    assert start(Down({})).get().status_code == 200
