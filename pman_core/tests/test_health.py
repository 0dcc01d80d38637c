"""``/healthz`` and ``/readyz``: what starts, stops and watches pman asks, without a token."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest
from access_helpers import Clock, Tokens
from rest_helpers import Service

from pman_core import hookimpl
from pman_core.contract.errors import EngineUnavailableError, SettingsError
from pman_core.contract.storage import Storage, host_storage
from pman_core.rest.health import Readiness
from pman_core.testing import MemoryBackend

Start = Callable[..., Service]


class Counting(MemoryBackend):
    """Counts how often it is asked whether its engine is there."""

    pings = 0

    @hookimpl
    def pman_ping(self) -> str:
        self.pings += 1
        return super().pman_ping()


def get(service: Service, path: str) -> tuple[int, Any]:
    answer = service.app.test_client().get(path)
    return answer.status_code, answer.json


def test_health_asks_nothing_of_the_engine(start: Start, tokens: Tokens) -> None:
    plugin = Counting({})
    service = start(plugin, **tokens.setting())
    plugin._engine.up = False
    assert get(service, "/healthz") == (200, {"status": "alive"})
    assert plugin.pings == 0


def test_readiness_is_503_while_the_engine_is_away_and_has_no_word_of_it(
    start: Start, tokens: Tokens
) -> None:
    service = start(**tokens.setting())
    service.engine.up = False
    status, answer = get(service, "/readyz")
    assert status == 503
    assert answer == {"message": "not ready: engine; pman's log says more"}


def test_readiness_is_503_while_the_storage_is_away(start: Start) -> None:
    class Away:
        """Storage whose server does not answer."""

        @hookimpl
        def pman_resolve_storage(self, storage_type: str) -> Storage | None:
            def check() -> None:
                raise EngineUnavailableError("no answer from 10.0.0.1")

            found = attrs.evolve(host_storage("/data"), name="away", check=check)
            return found if storage_type == "away" else None

    service = start(extensions=(Away(),), STORAGE_TYPE="away")
    assert get(service, "/readyz") == (
        503,
        {"message": "not ready: storage; pman's log says more"},
    )


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_query_is_reported_as_everywhere(service: Service, path: str) -> None:
    assert get(service, f"{path}?x=1")[0] == 400


# ------------------------------------------------------------------------- how often it asks


def readiness(service: Service, clock: Clock) -> Readiness:
    return Readiness(service.pman.jobs, clock)


def test_the_engine_is_asked_at_most_once_a_second_however_many_ask(start: Start) -> None:
    plugin, clock = Counting({}), Clock()
    ready = readiness(start(plugin), clock)
    assert {ready.fault() for _ in range(100)} == {None}
    assert plugin.pings == 1
    clock.now += 0.9
    assert ready.fault() is None
    assert plugin.pings == 1
    clock.now += 0.2
    assert ready.fault() is None
    assert plugin.pings == 2


class TwoAtOnce:
    """A lock that two threads want at the same moment: the second gets it from the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._both = threading.Barrier(2)
        self._first_is_done = threading.Event()

    def acquire(self, blocking: bool) -> bool:
        is_second = self._both.wait(20) == 1
        if is_second:
            assert self._first_is_done.wait(20)
        return self._lock.acquire(blocking=blocking)

    def release(self) -> None:
        self._lock.release()
        self._first_is_done.set()


def test_it_is_asked_once_also_when_two_ask_at_the_same_moment(start: Start) -> None:
    plugin = Counting({})
    ready = readiness(start(plugin), Clock())
    ready._asking = TwoAtOnce()  # type: ignore[assignment]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: ready.fault(), range(2))) == [None, None]
    assert plugin.pings == 1


def test_what_was_wrong_is_asked_again_and_right_again(start: Start) -> None:
    service, clock = start(), Clock()
    ready = readiness(service, clock)
    service.engine.up = False
    assert ready.fault() == "engine"
    service.engine.up = True
    assert ready.fault() == "engine", "for a second"
    clock.now += 1
    assert ready.fault() is None


@pytest.mark.parametrize("before", [None, "engine"])
def test_an_engine_that_hangs_holds_one_thread_and_others_get_what_was_known(
    start: Start, before: str | None
) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    class Hanging(MemoryBackend):
        hangs = False

        @hookimpl
        def pman_ping(self) -> str:
            if self.hangs:
                asked.set()
                assert may_answer.wait(20)
            if not self._engine.up:
                raise EngineUnavailableError("away")
            return "engine"

    plugin, clock = Hanging({}), Clock()
    plugin._engine.up = before is None
    ready = readiness(start(plugin), clock)
    assert ready.fault() == before
    clock.now += 10
    plugin.hangs = True
    plugin._engine.up = not plugin._engine.up
    thread = threading.Thread(target=ready.fault)
    thread.start()
    assert asked.wait(20)
    assert {ready.fault() for _ in range(100)} == {before}
    may_answer.set()
    thread.join(20)
    assert (ready.fault() is None) == (before is not None)


def test_before_the_first_answer_pman_is_not_ready(start: Start) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    class Hanging(MemoryBackend):
        @hookimpl
        def pman_ping(self) -> str:
            asked.set()
            assert may_answer.wait(20)
            return "engine"

    ready = readiness(start(Hanging({})), Clock())
    thread = threading.Thread(target=ready.fault)
    thread.start()
    assert asked.wait(20)
    assert ready.fault() == "nobody has asked yet"
    may_answer.set()
    thread.join(20)
    assert ready.fault() is None


def test_a_fault_is_logged_when_it_begins_and_not_at_each_question(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    service, clock = start(), Clock()
    ready = readiness(service, clock)
    service.engine.up = False
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            clock.now += 1
            assert ready.fault() == "engine"
    (told,) = [line for line in caplog.messages if line.startswith("not ready")]
    assert "switched off" in told


@pytest.mark.parametrize("error", [RuntimeError("x"), SettingsError(["x"]), KeyError("x")])
def test_a_plugin_that_breaks_its_contract_is_not_ready(start: Start, error: Exception) -> None:
    class Broken(MemoryBackend):
        @hookimpl
        def pman_ping(self) -> str:
            raise error

    service, clock = start(Broken({})), Clock()
    assert readiness(service, clock).fault() == "engine"
    assert get(service, "/readyz")[0] == 503
