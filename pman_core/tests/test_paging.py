"""Pages of names, and jobs about which something is left to do."""

import pytest

from pman_core import Job, JobFilter, JobInfo, Status
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_core.kit.job_info import running, waiting
from pman_core.kit.paging import NO_CURSOR, UnsettledError, listed, page_by_name

FULL = EngineUnavailableError("no space left", retry_after_s=7)


def waiting_job(name: str) -> JobInfo:
    return waiting(Job(jid=name, image="i", argv=("a",)), "waits")


def running_job(name: str) -> JobInfo:
    return running(waiting_job(name))


def unsettled(name: str) -> JobInfo:
    """A look at a job whose end is due."""
    raise UnsettledError(waiting_job(name), FULL)


def away(name: str) -> JobInfo:
    """A look at a job while the engine is away."""
    raise EngineUnavailableError("the engine is away")


def jids(*infos: JobInfo) -> list[str]:
    return [info.jid for info in infos]


# ------------------------------------------------------------------------------ pages


def test_pages_are_in_the_order_of_names_and_the_last_one_has_no_cursor() -> None:
    first = page_by_name("cab", running_job, JobFilter(), 2, None)
    assert (jids(*first.jobs), first.cursor is None) == (["a", "b"], False)
    last = page_by_name("cab", running_job, JobFilter(), 2, first.cursor)
    assert (jids(*last.jobs), last.cursor) == (["c"], None)


def test_what_comes_and_goes_between_two_pages_moves_no_other_job() -> None:
    first = page_by_name("bdf", running_job, JobFilter(), 2, None)
    assert jids(*first.jobs) == ["b", "d"]
    assert jids(*page_by_name("abefg", running_job, JobFilter(), 9, first.cursor).jobs) == list(
        "efg"
    )


def test_what_does_not_match_or_is_gone_takes_no_room_on_a_page() -> None:
    looks = {"a": None, "b": running_job("b"), "c": waiting_job("c")}
    page = page_by_name(looks, looks.get, JobFilter(status=Status.NOT_STARTED), 1, None)
    assert (jids(*page.jobs), page.cursor) == (["c"], None)


@pytest.mark.parametrize("cursor", ["", "a", "00000000-a", "-"])
def test_a_cursor_that_no_page_gave_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidJobError, match=NO_CURSOR):
        page_by_name("ab", running_job, JobFilter(), 1, cursor)


# ------------------------------------------------------------- what cannot be done now


def test_a_job_for_which_nothing_can_be_done_now_hides_no_other() -> None:
    page = page_by_name(
        "abc", lambda name: (unsettled if name == "b" else running_job)(name), JobFilter(), 9, None
    )
    assert [(info.jid, info.status) for info in page.jobs] == [
        ("a", Status.STARTED),
        ("b", Status.NOT_STARTED),
        ("c", Status.STARTED),
    ]


def test_such_a_job_is_on_the_page_only_where_it_matches() -> None:
    assert page_by_name("b", unsettled, JobFilter(status=Status.STARTED), 9, None).jobs == ()
    assert page_by_name("b", unsettled, JobFilter(status=Status.NOT_STARTED), 9, None).jobs


def test_an_engine_that_is_away_is_no_list_without_its_jobs() -> None:
    for look in (away, lambda name: listed(away, name)):
        with pytest.raises(EngineUnavailableError, match="is away"):
            page_by_name("ab", look, JobFilter(), 9, None)


def test_a_question_for_such_a_job_is_answered_by_the_cause() -> None:
    with pytest.raises(EngineUnavailableError, match="no space") as raised:
        unsettled("b")
    assert str(raised.value) == "no space left"
    assert raised.value.retry_after_s == 7
