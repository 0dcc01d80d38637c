"""What a job is by all of its objects, what is due for it, and what has to be read before."""

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from engine_standin import NEVER, job

from pman_core import Reason, Status
from pman_core.contract.storage import host_storage
from pman_core.kit.outcome import Outcome, cancelled
from pman_docker.labels import container_labels, end_labels, waiting_labels
from pman_docker.status.job import (
    BEING_CANCELLED,
    Due,
    Observation,
    Read,
    info_of,
    missing,
    work_due,
)

GRACE = timedelta(seconds=40)
DEADLINE_S = 60
CREATED = datetime(2026, 11, 21, 1, tzinfo=UTC)
#: Ages of a job that is new, is abandoned if it was never started, has waited too long.
NEW, OLD, OVERDUE = (CREATED + timedelta(seconds=age) for age in (10, 50, 70))

Container = dict[str, Any]


def a_container(status: str, identity: str = "first", /, **state: Any) -> Container:
    """A container of the job; one that is not the first says of which first it is."""
    of = "" if identity == "first" else "first"
    begun = {} if status == "created" else {"StartedAt": NEW.isoformat()}
    ended = {"FinishedAt": OLD.isoformat()} if status == "exited" else {}
    return {
        "Id": identity,
        "Created": CREATED.isoformat(),
        "Path": "true",
        "Args": [],
        "HostConfig": {"Init": True},
        "Config": {"Labels": container_labels(job(), "pman", of)},
        "State": {"Status": status, "StartedAt": NEVER, "FinishedAt": NEVER}
        | begun
        | ended
        | state,
    }


def a_placeholder(labels: dict[str, str], identity: str = "first") -> Container:
    return a_container("created", identity) | {"Config": {"Labels": labels}, "HostConfig": {}}


def an_end(outcome: Outcome) -> Container:
    return a_placeholder(end_labels("aa", "pman", "first", outcome), "second")


CREATED_ONLY = a_container("created")
LOCKED = a_container("created", Error="database is locked")
WAITING = a_placeholder(waiting_labels(job(), "pman"))
RUNNING = a_container("running")
LATE = a_container("running", StartedAt=OLD.isoformat())
KILLED = a_container("exited", ExitCode=137)
SECOND_WAITS = a_container("created", "second")
SECOND_IS_NEW = SECOND_WAITS | {"Created": NEW.isoformat()}
SECOND_RUNS = a_container("running", "second")
SECOND_ENDED = a_container("exited", "second", ExitCode=3)
SECOND_EXITS_AS_INIT = a_container("exited", "second", ExitCode=127)
MISSING = "no such file or directory"
FAILED = an_end(Outcome("no such image", Reason.IMAGE_NOT_FOUND))
CANCELLED = an_end(cancelled())
BEFORE_THE_CLOCK_WAS_SET_BACK = {"Created": (CREATED - GRACE).isoformat()}

TOO_LATE = Outcome("not started within 60 s: pulling image here:1", Reason.START_DEADLINE)
NOT_CREATED_IN_TIME = attrs.evolve(
    TOO_LATE, message="not started within 60 s: created, not started yet"
)


def seen(first: Container, **known: Any) -> Observation:
    """All that can be read has been read, unless ``read`` says otherwise."""
    everything: frozenset[Read] = frozenset(("second", "renamed", "now", "log", "cancelled"))
    return Observation(
        **{
            "first": first,
            "knows_oom": True,
            "grace": GRACE,
            "fault": None,
            "is_free": True,
            "read": everything,
            **known,
        }
    )


# ------------------------------------------------------------------ what it is, what is due

NOTHING, START = Due(), Due(start=True)


@pytest.mark.parametrize(
    ("first", "known", "status", "due"),
    [
        # The first object alone.
        (RUNNING, {}, Status.STARTED, NOTHING),
        (CREATED_ONLY, {"now": NEW}, Status.NOT_STARTED, NOTHING),
        (CREATED_ONLY, {"now": OLD}, Status.NOT_STARTED, START),
        (CREATED_ONLY, {"now": OVERDUE}, Status.NOT_STARTED, Due(end=NOT_CREATED_IN_TIME)),
        (LOCKED, {"now": NEW}, Status.NOT_STARTED, NOTHING),
        (LOCKED, {"now": OLD}, Status.NOT_STARTED, START),
        (WAITING, {"now": NEW}, Status.NOT_STARTED, START),
        (WAITING, {"now": NEW, "is_free": False}, Status.NOT_STARTED, NOTHING),
        (WAITING, {"now": OVERDUE}, Status.NOT_STARTED, Due(end=TOO_LATE)),
        (WAITING, {"now": OVERDUE, "is_free": False}, Status.NOT_STARTED, Due(end=TOO_LATE)),
        # A second one.
        (WAITING, {"now": NEW, "second": SECOND_WAITS}, Status.NOT_STARTED, NOTHING),
        (WAITING, {"now": OLD, "second": SECOND_WAITS}, Status.NOT_STARTED, START),
        (WAITING, {"now": OLD, "second": SECOND_IS_NEW}, Status.NOT_STARTED, NOTHING),
        (CREATED_ONLY, {"now": OLD, "second": SECOND_IS_NEW}, Status.NOT_STARTED, NOTHING),
        (WAITING, {"second": SECOND_RUNS}, Status.STARTED, NOTHING),
        (WAITING, {"second": SECOND_ENDED}, Status.FAILED, NOTHING),
        (WAITING, {"second": FAILED}, Status.FAILED, NOTHING),
        (CREATED_ONLY, {"now": OVERDUE, "second": SECOND_RUNS}, Status.STARTED, NOTHING),
        # One that has another name, beside an abandoned one or alone.
        (WAITING, {"renamed": SECOND_RUNS}, Status.STARTED, NOTHING),
        (
            WAITING,
            {"now": OLD, "second": SECOND_WAITS, "renamed": SECOND_RUNS},
            Status.STARTED,
            NOTHING,
        ),
        (WAITING, {"now": NEW, "renamed": SECOND_WAITS}, Status.NOT_STARTED, NOTHING),
        (
            WAITING,
            {"now": OLD, "renamed": SECOND_WAITS},
            Status.NOT_STARTED,
            Due(clear="second", start=True),
        ),
        (
            WAITING,
            {"now": OVERDUE, "renamed": SECOND_WAITS},
            Status.NOT_STARTED,
            Due(clear="second", end=TOO_LATE),
        ),
        # A first one that somebody started when it counted as abandoned.
        (LATE, {}, Status.STARTED, NOTHING),
        (LATE, {"second": SECOND_WAITS}, Status.STARTED, NOTHING),
        (LATE, {"second": SECOND_ENDED}, Status.FAILED, NOTHING),
        (LATE, {"second": CANCELLED}, Status.FAILED, NOTHING),
        # A cancellation before the start.
        (WAITING, {"second": CANCELLED}, Status.FAILED, NOTHING),
        (LOCKED, {"now": NEW, "second": CANCELLED}, Status.FAILED, NOTHING),
        (CREATED_ONLY, {"now": NEW, "second": CANCELLED}, Status.NOT_STARTED, NOTHING),
        (CREATED_ONLY, {"now": OVERDUE, "second": CANCELLED}, Status.FAILED, NOTHING),
        (
            CREATED_ONLY,
            {"now": NEW, "second": CANCELLED | BEFORE_THE_CLOCK_WAS_SET_BACK},
            Status.NOT_STARTED,
            NOTHING,
        ),
    ],
)
def test_what_a_job_is_and_what_is_due(
    first: Container, known: dict[str, Any], status: Status, due: Due
) -> None:
    observed = seen(first, **known)
    assert (info_of(observed).status, work_due(observed, DEADLINE_S)) == (status, due)
    assert missing(observed) is None


def test_a_job_that_is_cancelled_and_may_yet_be_started_says_so() -> None:
    assert info_of(seen(CREATED_ONLY, now=NEW, second=CANCELLED)).message == BEING_CANCELLED


def test_a_waiting_job_says_why_it_could_not_be_brought_to_run() -> None:
    info = info_of(seen(WAITING, now=NEW, fault=(Reason.QUEUED, "no room")))
    assert (info.reason, info.message) == (Reason.QUEUED, "no room")
    info = info_of(seen(WAITING, now=NEW))
    assert (info.reason, info.message) == (Reason.PULLING, "pulling image here:1")


def test_a_second_object_that_waits_says_why() -> None:
    second = a_container("created", "second", Error="database is locked")
    assert "database is locked" in info_of(seen(WAITING, now=NEW, second=second)).message


@pytest.mark.parametrize("known", [{}, {"second": KILLED | {"Id": "second"}}])
def test_what_the_engine_does_not_know_of_memory_is_said(known: dict[str, Any]) -> None:
    first = WAITING if known else KILLED
    assert "memory" in info_of(seen(first, knows_oom=False, **known)).message
    assert "memory" not in info_of(seen(first, **known)).message


def test_a_job_is_as_old_as_its_first_object() -> None:
    later = SECOND_RUNS | {"Created": OLD.isoformat()}
    assert info_of(seen(WAITING, second=later)).created == CREATED


@pytest.mark.parametrize(
    ("since", "reason"),
    [(None, Reason.KILLED), (OLD, Reason.KILLED), (NEW, Reason.CANCELLED)],
)
def test_a_job_is_cancelled_if_it_was_killed_after_its_cancellation(
    since: datetime | None, reason: Reason
) -> None:
    info = info_of(seen(KILLED, cancelled=since))
    assert (info.reason, info.finished) == (reason, OLD)


def test_a_job_that_was_not_killed_is_not_cancelled() -> None:
    info = info_of(seen(a_container("exited", ExitCode=3), cancelled=NEW))
    assert info.reason is Reason.EXIT_CODE


@pytest.mark.parametrize("second", [None, SECOND_EXITS_AS_INIT])
def test_what_the_init_says_is_of_the_container_that_ended(second: Container | None) -> None:
    first = WAITING if second else a_container("exited", ExitCode=127)
    log = [(2, b"[FATAL tini (7)] exec true failed: No such file or directory\n")]
    info = info_of(seen(first, second=second, log=log))
    assert (info.reason, info.native) == (Reason.CANNOT_START, "second" if second else "first")
    assert info_of(seen(first, second=second)).reason is Reason.EXIT_CODE


@pytest.mark.parametrize("is_second", [False, True])
def test_a_missing_directory_is_named_where_the_engine_names_none(is_second: bool) -> None:
    """Podman 5.4."""
    made = attrs.evolve(job(), mounts=host_storage("/base").mounts("feed 1/in", "out"))
    failed = a_container("created", "second" if is_second else "first", ExitCode=0, Error=MISSING)
    labels = waiting_labels(made, "pman") if is_second else container_labels(made, "pman")
    first = (WAITING if is_second else failed) | {"Config": {"Labels": labels}}
    info = info_of(seen(first, second=failed if is_second else None))
    assert info.status is Status.FAILED
    assert info.message == f"cannot start: {MISSING}; its directories are 'feed 1/in' and 'out'"


# ------------------------------------------------------------------ what has to be read

IS_BUSY = {"is_free": False}


@pytest.mark.parametrize(
    ("first", "known", "reads"),
    [
        (RUNNING, {}, []),
        (a_container("exited", ExitCode=0), {}, []),
        (a_container("exited", ExitCode=3), {}, []),
        (a_container("exited", ExitCode=127), {}, ["log"]),
        (a_container("created", ExitCode=127, Error="no such file"), {}, []),
        (KILLED, {}, ["cancelled"]),
        (LATE, {}, ["second"]),
        (LATE, {"second": SECOND_ENDED}, ["second"]),
        (CREATED_ONLY, {"now": NEW}, ["second", "now"]),
        (CREATED_ONLY, {"now": OLD}, ["second", "now", "renamed"]),
        (CREATED_ONLY, {"now": OLD} | IS_BUSY, ["second", "now"]),
        (CREATED_ONLY, {"second": CANCELLED, "now": NEW}, ["second", "now"]),
        (CREATED_ONLY, {"second": SECOND_RUNS}, ["second"]),
        (WAITING, {"now": NEW}, ["second", "renamed", "now"]),
        (WAITING, {"now": NEW} | IS_BUSY, ["second", "now"]),
        (WAITING, {"second": SECOND_RUNS}, ["second"]),
        (WAITING, {"second": SECOND_EXITS_AS_INIT}, ["second", "log"]),
        (WAITING, {"second": FAILED}, ["second"]),
        (WAITING, {"second": CANCELLED}, ["second"]),
        (WAITING, {"second": SECOND_WAITS, "now": NEW}, ["second", "now"]),
        (WAITING, {"second": SECOND_WAITS, "now": OLD}, ["second", "now", "renamed"]),
        (WAITING, {"renamed": SECOND_RUNS}, ["second", "renamed"]),
        (WAITING, {"renamed": SECOND_WAITS, "now": OLD}, ["second", "renamed", "now"]),
        (WAITING, {"second": SECOND_ENDED | {"State": KILLED["State"]}}, ["second", "cancelled"]),
    ],
)
def test_only_what_decides_is_read(
    first: Container, known: dict[str, Any], reads: list[Read]
) -> None:
    flags = {key: known[key] for key in known.keys() & {"is_free"}}
    observed = seen(first, read=frozenset(), **flags)
    done: list[Read] = []
    while read := missing(observed):
        done.append(read)
        found = {read: known[read]} if read in known else {}
        observed = attrs.evolve(observed, read=observed.read | {read}, **found)
    assert done == reads


@pytest.mark.parametrize("first", [CREATED_ONLY, LOCKED, WAITING, RUNNING, LATE, KILLED])
def test_nothing_is_due_for_a_job_whose_age_is_not_known(first: Container) -> None:
    due = work_due(seen(first, read=frozenset(), is_free=False), DEADLINE_S)
    assert due == NOTHING
