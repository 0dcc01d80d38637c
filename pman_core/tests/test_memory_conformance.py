"""The memory backend keeps every promise, and the kit rejects every backend that does not."""

import inspect
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.outcomes import Failed
from broken import BROKEN
from subjects import memory_subject

from pman_core.contract.capabilities import Deviation
from pman_core.contract.errors import PmanError
from pman_core.testing import BackendConformance, MemoryEngine, Subject
from pman_core.testing.conformance import Harness
from pman_core.testing.conformance.marks import WEAKENED_BY


class TestMemory(BackendConformance):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> Subject:
        return memory_subject(MemoryEngine(), tmp_path)


PROMISES = {
    name: promise
    for name, promise in inspect.getmembers(BackendConformance, inspect.isfunction)
    if name.startswith("test_")
}

#: Values for tests that have parameters; one is enough to be rejected.
PARAMETERS = {
    "code": 3,
    "jid": "Upper_Case",
    "which": "input",
    "fault": "overloaded",
    "cursor": "zzz",
    "target": "out",
}


def test_every_promise_has_a_backend_that_breaks_it() -> None:
    assert set(BROKEN) == set(PROMISES) - {"test_no_promise_is_overridden"}


@pytest.fixture
def broken_harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(BROKEN[request.param](tmp_path))
    yield harness
    # What a broken backend left running is ended through its engine.
    for record in (
        getattr(harness.subject.factory, "keywords", {})
        .get("engine", MemoryEngine())
        .records.values()
    ):
        if record:
            record.kill.set()


@pytest.mark.parametrize(
    ("name", "broken_harness"),
    [(name, name) for name in BROKEN],
    indirect=["broken_harness"],
    ids=list(BROKEN),
)
def test_a_broken_backend_is_rejected(
    name: str, broken_harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise = PROMISES[name]
    given: dict[str, Any] = {**PARAMETERS, "harness": broken_harness, "monkeypatch": monkeypatch}
    wanted = [word for word in inspect.signature(promise).parameters if word != "self"]
    with pytest.raises((AssertionError, Failed, PmanError)):
        promise(BackendConformance(), **{word: given[word] for word in wanted})


def test_a_subclass_that_drops_a_promise_is_rejected() -> None:
    class Dropping(BackendConformance):
        def test_success_is_reported(self, harness: Harness) -> None:
            pass

    with pytest.raises(AssertionError, match="test_success_is_reported"):
        Dropping().test_no_promise_is_overridden()


def test_a_subclass_may_drop_a_promise_that_it_explains() -> None:
    class Explaining(BackendConformance):
        @pytest.mark.xfail(reason="the engine has no exit codes")
        def test_success_is_reported(self, harness: Harness) -> None:
            pass

    Explaining().test_no_promise_is_overridden()


def test_every_deviation_changes_exactly_one_test() -> None:
    marked = Counter(getattr(promise, WEAKENED_BY, None) for promise in PROMISES.values())
    del marked[None]
    assert marked == dict.fromkeys(Deviation, 1)
