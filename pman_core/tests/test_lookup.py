"""What a job is and what it wrote: the engine is asked no more often than it need be."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import attrs
import pytest
from rest_helpers import Service, body, until
from test_job_table import ENDED

from pman_core import JobFilter, JobInfo, Status, hookimpl
from pman_core._internal import log_cache
from pman_core._internal.following import following
from pman_core._internal.held_answers import hold_back, holding
from pman_core._internal.job_table import JobTable
from pman_core._internal.log_cache import LogCache
from pman_core._internal.lookup import Lookup
from pman_core._internal.shared_questions import SharedQuestions
from pman_core._internal.writes import Writes
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_core.contract.feed import Mark
from pman_core.kit.deadline import within
from pman_core.testing import MemoryBackend, MemoryEngine

JOB = "chris-jid-1"


@attrs.define(eq=False, init=False)
class Counting(MemoryBackend):
    """Counts what it is asked, and answers when it may."""

    asked: int
    read: int
    may_answer: threading.Event

    def __init__(self, engine: MemoryEngine) -> None:
        super().__init__({}, engine)
        self.asked, self.read, self.may_answer = 0, 0, threading.Event()
        self.may_answer.set()

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        self.asked += 1
        self.may_answer.wait(20)
        return super().pman_status(jid)

    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        self.read += 1
        return super().pman_logs(info, tail_lines, max_bytes)


@pytest.fixture
def counting(engine: MemoryEngine) -> Counting:
    return Counting(engine)


@pytest.fixture
def asked(start: Callable[..., Service], counting: Counting) -> Service:
    """A service on it, that asks the engine for each answer."""
    return start(counting)


def with_table(service: Service) -> Lookup:
    """What answers in a server whose processes know of one another."""
    return following(service.pman, Writes()).jobs.lookup


def until_known(lookup: Lookup) -> None:
    """Wait until the table answers for the job."""
    table = lookup._table
    assert table is not None
    until(lambda: table.get(JOB), bool)


def test_the_state_of_a_job_is_not_asked_for_again_and_again(
    asked: Service, counting: Counting
) -> None:
    asked.post()
    asked.ended(JOB)
    lookup = with_table(asked)
    until_known(lookup)
    before = counting.asked
    infos = {lookup.status(JOB) for _ in range(100)}
    assert (len(infos), counting.asked) == (1, before)
    assert infos == {lookup.status(JOB, fresh=True)}
    assert counting.asked == before + 1


def test_without_a_feed_that_is_followed_each_answer_is_the_engine_s(
    asked: Service, counting: Counting
) -> None:
    asked.post()
    before = counting.asked
    for _ in range(3):
        asked.get(f"{JOB}/")
    assert counting.asked == before + 3


def test_freshness_0_asks_the_engine_for_each_answer(
    start: Callable[..., Service], counting: Counting
) -> None:
    assert with_table(start(counting, FRESHNESS="0"))._table is None


def being_asked(
    asked: Service, counting: Counting, lookup: Lookup, pool: ThreadPoolExecutor
) -> Future[JobInfo]:
    """A question for a job that the engine has got, and does not answer yet."""
    asked.post()
    counting.may_answer.clear()
    before = counting.asked
    first = pool.submit(lookup.status, JOB)
    until(lambda: counting.asked, lambda count: count > before)
    return first


def test_who_asks_while_the_engine_is_being_asked_shares_the_next_answer(
    asked: Service, counting: Counting
) -> None:
    """The answer that comes first may be older than what he knows already."""
    lookup, before = Lookup(asked.pman.jobs.backend, 20), counting.asked
    with ThreadPoolExecutor(8) as pool:
        answers = [being_asked(asked, counting, lookup, pool)]
        answers += [pool.submit(lookup.status, JOB) for _ in range(7)]
        until(lambda: lookup._questions._turns[JOB].users, lambda users: users == 8)
        counting.may_answer.set()
        assert {answer.result().jid for answer in answers} == {JOB}
    assert counting.asked == before + 2
    assert lookup._questions._turns == {}


def test_who_waits_for_an_answer_waits_no_longer_than_he_may(
    asked: Service, counting: Counting
) -> None:
    lookup = Lookup(asked.pman.jobs.backend, 20)
    with ThreadPoolExecutor(1) as pool:
        first = being_asked(asked, counting, lookup, pool)
        with within(0.05), pytest.raises(EngineUnavailableError, match="slow"):
            lookup.status(JOB)
        counting.may_answer.set()
        assert first.result().jid == JOB


def test_an_engine_that_does_not_answer_one_is_asked_by_the_next(asked: Service) -> None:
    """The first may have had less time left."""
    answers: list[Exception | str] = [EngineUnavailableError("late"), "yes"]

    def call() -> str:
        may_answer.wait(20)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    questions, may_answer = SharedQuestions[str](20), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(questions.ask, 1, call)
        until(lambda: questions._turns, bool)
        second = pool.submit(questions.ask, 1, call)
        until(lambda: questions._turns[1].users, lambda users: users == 2)
        may_answer.set()
        assert isinstance(first.exception() or second.exception(), EngineUnavailableError)
    assert answers == []


def test_what_a_list_said_is_not_taken_back(asked: Service, engine: MemoryEngine) -> None:
    asked.post(body(image="hold"))
    table = JobTable(1000.0, Writes())
    jobs = asked.pman.jobs
    jobs = attrs.evolve(jobs, lookup=Lookup(jobs.backend, 20, table, Writes()))
    table.begin()
    table.take(jobs.backend.status(JOB))
    table.take(Mark(time.monotonic()))
    assert jobs.status(JOB).status is Status.STARTED
    engine.lose(JOB)
    assert jobs.status(JOB).status is Status.STARTED
    assert [info.status for info in jobs.list(JobFilter(), 10, None).jobs] == [Status.FAILED]
    assert jobs.status(JOB).status is Status.FAILED


def test_what_the_engine_refuses_is_refused_to_all_who_asked(asked: Service) -> None:
    lookup = Lookup(asked.pman.jobs.backend, 20)
    with pytest.raises(UnknownJobError):
        lookup.status("nobody")
    asked.engine.up = False
    for _ in range(2):
        with pytest.raises(EngineUnavailableError):
            lookup.status("nobody")


def test_a_job_is_unknown_at_once_when_it_is_removed(asked: Service) -> None:
    asked.post()
    asked.ended(JOB)
    lookup = with_table(asked)
    until_known(lookup)
    attrs.evolve(asked.pman.jobs, lookup=lookup).remove(JOB)
    with pytest.raises(UnknownJobError):
        lookup.status(JOB)


def test_the_log_of_a_job_that_has_ended_is_kept_once_it_stays_the_same(
    asked: Service, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_cache, "_PAUSE_S", 0.0)
    asked.post()
    asked.ended(JOB)
    counting.read = 0
    answers = [asked.get(f"{JOB}/").json for _ in range(10)]
    assert (counting.read <= 2, answers.count(answers[0])) == (True, 10)


def test_the_log_of_a_job_that_runs_is_read_once_in_a_while(
    asked: Service, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_cache, "_PAUSE_S", 1000.0)
    asked.post(body(image="hold"))
    until(lambda: (asked.get(f"{JOB}/?logs=no").json or {})["status"], "started".__eq__)
    for _ in range(10):
        asked.get(f"{JOB}/")
    assert counting.read == 1
    monkeypatch.setattr(log_cache, "_PAUSE_S", 0.0)
    for _ in range(3):
        asked.get(f"{JOB}/")
    assert counting.read == 4


def test_the_log_of_a_job_is_none_of_another_one_with_its_id(asked: Service) -> None:
    asked.post()
    asked.ended(JOB)
    first = (asked.get(f"{JOB}/").json or {})["logs"]
    asked.delete(f"{JOB}/")
    asked.post(body(image="fail"))
    asked.ended(JOB)
    info = asked.pman.jobs.status(JOB)
    second = asked.pman.jobs.logs(info)
    assert second == asked.pman.jobs.backend.logs(info, 1000, 2**20).decode()
    assert first != second or first == ""


def test_logs_are_kept_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_cache, "_MOST", 10_000)
    cache = LogCache(20)
    infos = [attrs.evolve(ENDED, jid=str(number)) for number in range(20)]
    for info in infos:
        cache.get(info, lambda: "")
    assert cache._size == sum(kept.size for kept in cache._kept.values()) <= 10_000
    assert len(cache._kept) < len(infos), "empty logs take room, too"
    kept = len(cache._kept)
    cache.get(ENDED, lambda: "x" * 9000)
    assert len(cache._kept) == kept, "a log that would take much of the room is not kept"


def test_a_log_that_cannot_be_read_is_not_kept() -> None:
    def fail() -> str:
        raise EngineUnavailableError("down")

    cache = LogCache(20)
    with pytest.raises(EngineUnavailableError):
        cache.get(ENDED, fail)
    assert cache.get(ENDED, lambda: "log") == "log"


def test_one_thread_reads_a_log_for_all_that_wait_for_it() -> None:
    reads: list[None] = []
    may_answer = threading.Event()

    def read() -> str:
        reads.append(None)
        may_answer.wait(20)
        return "log"

    cache = LogCache(20)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(cache.get, ENDED, read) for _ in range(8)]
        until(lambda: len(reads), bool)
        may_answer.set()
        assert {answer.result() for answer in answers} == {"log"}
    assert len(reads) == 1


def test_an_answer_is_held_back_for_the_longest_that_was_asked_for() -> None:
    with holding() as held:
        hold_back(1.0)
        hold_back(0.5)
    hold_back(9.0)
    assert held.seconds == 1.0


@pytest.mark.parametrize(("replicas", "held_s"), [("1", 0.0), ("2", 2.0)])
def test_the_end_of_a_job_is_answered_later_where_other_replicas_must_know(
    start: Callable[..., Service], counting: Counting, replicas: str, held_s: float
) -> None:
    lookup = with_table(start(counting, REPLICAS=replicas))
    with holding() as held, lookup.changing(JOB):
        pass
    assert held.seconds == 0.0
    with holding() as held, lookup.changing(JOB, ends_it=True):
        pass
    assert held.seconds == held_s
