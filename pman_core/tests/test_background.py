"""What goes on beside the requests: the engine's own news, and what was left undone."""

from collections.abc import Callable, Iterator
from functools import partial

import attrs
from rest_helpers import Service, body, until

from pman_core import JobInfo, hookimpl
from pman_core.errors import EngineUnavailableError
from pman_core.testing import MemoryBackend, MemoryEngine


@attrs.define(eq=False)
class Notebook:
    """Notes the ends that it is told of."""

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


def test_what_the_engine_pushes_is_told_without_any_poll(
    start: Callable[..., Service], engine: MemoryEngine
) -> None:
    start().post(body(image="fail"))
    notebook = Notebook()
    start(Watching({}, engine), extensions=(notebook,))
    until(lambda: list(notebook.ends), bool)
    assert notebook.ends == ["chris-jid-1"]


def test_nothing_is_watched_where_nobody_wants_to_know(start: Callable[..., Service]) -> None:
    watched: list[None] = []

    class Counting(MemoryBackend):
        @hookimpl
        def pman_watch(self) -> Iterator[JobInfo]:
            watched.append(None)
            return iter(())

    start(Counting({}))
    assert watched == []


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


def test_an_engine_that_is_down_at_the_start_does_not_hinder_it(
    start: Callable[..., Service],
) -> None:
    class Down(MemoryBackend):
        @hookimpl
        def pman_resume(self) -> None:
            raise EngineUnavailableError("down")

    assert start(Down({})).get().status_code == 200
