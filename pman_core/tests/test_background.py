"""What goes on beside the requests: the feed, and what was left undone."""

import logging
import operator
from collections.abc import Callable, Iterator
from functools import partial

import attrs
import pytest
from rest_helpers import Service, body, until

from pman_core import JobInfo, Status, hookimpl
from pman_core._internal import clock
from pman_core._internal.backend import Backend
from pman_core._internal.background import until_done
from pman_core._internal.feed_thread import FeedThread
from pman_core._internal.job_table import JobTable
from pman_core._internal.observers import Observers
from pman_core._internal.registry import new_manager, register_backend, register_extension
from pman_core._internal.writes import Writes
from pman_core.contract.errors import EngineUnavailableError, PluginFaultError
from pman_core.contract.feed import News
from pman_core.testing import MemoryBackend, MemoryEngine


@attrs.define(eq=False)
class Notebook:
    """Keeps the ends that it is called with."""

    ends: list[str] = attrs.field(factory=list)

    @hookimpl
    def pman_finished(self, info: JobInfo) -> None:
        self.ends.append(info.jid)


def test_an_end_is_reported_without_any_poll(
    start: Callable[..., Service], engine: MemoryEngine
) -> None:
    start().post(body(image="fail"))
    notebook = Notebook()
    start(MemoryBackend({}, engine), extensions=(notebook,))
    until(lambda: list(notebook.ends), bool)
    assert notebook.ends == ["chris-jid-1"]


def watched(*answers: Iterator[News] | Exception | None) -> list[str]:
    """The ends that are reported while the feed is begun so often, with these answers."""
    notebook = Notebook()
    left = list(answers)

    class Watching(MemoryBackend):
        @hookimpl
        def pman_watch(self, freshness_s: float) -> Iterator[News]:
            answer = left.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer  # type: ignore[return-value]

    manager = new_manager()
    register_backend(manager, Watching({}), "watching")
    register_extension(manager, notebook, "notebook")
    table = JobTable(2.0, Writes())
    feed = FeedThread(Backend(manager, "watching"), Observers(manager), table)
    thread = feed.start(pause_s=0)
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert left == []
    return notebook.ends


def end(jid: str) -> JobInfo:
    return JobInfo(jid=jid, image="", argv=(), status=Status.FAILED, message="", fingerprint="")


def breaking(*news: News) -> Iterator[News]:
    yield from news
    raise EngineUnavailableError("gone")


def test_a_feed_that_ends_breaks_or_cannot_be_begun_is_begun_again() -> None:
    feeds = (iter([end("a")]), EngineUnavailableError("down"), breaking(end("b")))
    assert watched(*feeds, iter([end("a"), end("c")]), None) == ["a", "b", "c"]


def test_what_is_no_news_breaks_the_contract_and_ends_the_feed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert watched(iter(["secret"]), None) == []  # type: ignore[arg-type]
    text = caplog.text
    assert ("pman_watch yielded str" in text, "secret" in text) == (True, False)


def test_a_feed_that_fails_is_logged_and_begun_again(caplog: pytest.LogCaptureFixture) -> None:
    def failing() -> Iterator[News]:
        yield end("a")
        raise ValueError("a bug")

    assert watched(failing(), iter([end("b")]), None) == ["a", "b"]
    assert "a bug" in caplog.text


def test_a_deadline_is_kept_although_nobody_asks(
    start: Callable[..., Service], engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "_LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(clock, "_TURN_S", 0.01)
    notebook = Notebook()
    backend = MemoryBackend({"START_DEADLINE": "1"}, engine)

    def unlisted() -> list[JobInfo]:
        """What an engine lists that does not know of the deadline."""
        with engine.lock:
            return [attrs.evolve(waiting, jid="chris-jid-1")]

    waiting = attrs.evolve(end("x"), status=Status.NOT_STARTED)
    monkeypatch.setattr(backend, "_all", unlisted)
    start(backend, extensions=(notebook,)).post(body(gpu_limit=1))
    record = engine.records["chris-jid-1"]
    assert record is not None
    until(lambda: record.outcome, bool)


def test_jobs_that_wait_are_looked_at_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_LOOK_AGAIN_S", 0.0)
    looked: list[str] = []

    def look(jid: str) -> JobInfo:
        looked.append(jid)
        raise EngineUnavailableError("down")

    waiting = [str(number) for number in range(12)]
    turns = clock.Clock(lambda: waiting, look)
    for _ in range(3):
        turns.turn()
    assert (len(looked), set(looked)) == (15, set(waiting))
    waiting.clear()
    turns.turn()
    assert (len(looked), turns._looked) == (15, {})


def test_a_job_that_was_just_looked_at_is_left_alone() -> None:
    looked: list[str] = []
    turns = clock.Clock(lambda: ["a"], looked.append)  # type: ignore[arg-type]
    turns.turn()
    assert looked == []


def test_nothing_is_watched_where_nobody_needs_it(start: Callable[..., Service]) -> None:
    feeds: list[None] = []

    class Counting(MemoryBackend):
        @hookimpl
        def pman_watch(self, freshness_s: float) -> Iterator[News]:
            feeds.append(None)
            return iter(())

    start(Counting({}))
    assert feeds == []


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
