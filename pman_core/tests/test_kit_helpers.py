"""Small helpers of the kit: times, labels, faults, submission, structuring."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from pman_core import Job, JobInfo
from pman_core.contract.errors import EngineUnavailableError, NameTakenError
from pman_core.kit import job_info, job_labels
from pman_core.kit.job_faults import job_faults
from pman_core.kit.structuring import structured
from pman_core.kit.submission import create_or_find
from pman_core.kit.times import not_before, parsed_time

JOB = Job(jid="j", image="i", argv=("a",), labels={"k": "v"}, owner="o", fingerprint="v1-f")
INFO = job_info.waiting(JOB, "waiting")

# ------------------------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02T05:04:05.5+02:00", datetime(2026, 1, 2, 3, 4, 5, 500000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
    ],
)
def test_times_of_engines_are_read_in_utc(text: str | None, time: datetime | None) -> None:
    assert parsed_time(text) == time


@pytest.mark.parametrize("text", ["yesterday", "2026-01-02T03:04:05"])
def test_what_is_no_time_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parsed_time(text)


def test_the_later_of_two_times_counts() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    assert not_before(early, late) == late
    assert not_before(late, early) == late
    assert not_before(None, early) == early
    assert not_before(early, None) == early
    assert not_before(None, None) is None


# ------------------------------------------------------------------------------ labels


def test_what_is_kept_of_a_job_can_be_read_again() -> None:
    kept = job_labels.job_labels(JOB, "pman")
    assert job_labels.is_of_job(kept, "j", "pman")
    assert job_labels.asked_labels(kept, {"k": "v", "of the image": "x"}) == {"k": "v"}
    assert job_labels.owner_in(kept) == "o"
    assert all(isinstance(value, str) for value in kept.values())


def test_nobody_is_no_owner_with_an_empty_name() -> None:
    for owner in (None, ""):
        kept = job_labels.job_labels(attrs.evolve(JOB, owner=owner), "pman")
        assert job_labels.owner_in(kept) == owner


@pytest.mark.parametrize("kept", [None, {}, job_labels.identity_labels("j", "other")])
def test_other_objects_are_of_no_job(kept: dict[str, str] | None) -> None:
    assert not job_labels.is_of_job(kept, "j", "pman")
    assert job_labels.asked_labels(kept or {}, {"k": "v"}) == {}
    assert job_labels.owner_in(kept or {}) is None


# ------------------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, set()),
        ({"argv": ()}, {"entrypoint"}),
        ({"argv": ("",)}, {"entrypoint"}),
        ({"env": {"": "x"}}, {"env"}),
        ({"env": {"a=b": "x"}}, {"env"}),
        ({"env": {"a\0": "x"}, "argv": ()}, {"env", "entrypoint"}),
    ],
)
def test_what_no_engine_can_run_is_named_by_its_field(
    changes: dict[str, Any], fields: set[str]
) -> None:
    assert set(job_faults(attrs.evolve(JOB, **changes))) == fields


# -------------------------------------------------------------------------- submission


def answers(*answers: JobInfo | None) -> Callable[[], JobInfo | None]:
    left = list(answers)
    return lambda: left.pop(0)


def test_a_job_is_created_or_found() -> None:
    found = attrs.evolve(INFO, message="found")
    created = create_or_find(
        "j", "n", create=answers(INFO), find=answers(), is_foreign=lambda: False
    )
    assert created is INFO
    again = create_or_find(
        "j", "n", create=answers(None), find=answers(found), is_foreign=lambda: False
    )
    assert again is found


def test_a_job_that_is_removed_meanwhile_is_created_anew() -> None:
    made = create_or_find(
        "j", "n", create=answers(None, INFO), find=answers(None), is_foreign=lambda: False
    )
    assert made is INFO


def test_a_name_that_something_else_has_is_taken() -> None:
    with pytest.raises(NameTakenError):
        create_or_find("j", "n", create=answers(None), find=answers(None), is_foreign=lambda: True)


def test_a_submission_does_not_try_for_ever() -> None:
    with pytest.raises(EngineUnavailableError, match="again and again"):
        create_or_find("j", "n", create=lambda: None, find=lambda: None, is_foreign=lambda: False)


# ------------------------------------------------------------------------- structuring


@attrs.frozen
class Point:
    x: int
    y: int = 0


def test_what_was_read_becomes_an_object() -> None:
    assert structured({"x": 1}, Point) == Point(1)


@pytest.mark.parametrize("content", [None, [], {}, {"x": "secret"}])
def test_what_is_something_else_is_a_value_error_that_quotes_nothing(content: object) -> None:
    with pytest.raises(ValueError, match="no Point") as caught:
        structured(content, Point)
    assert "secret" not in str(caught.value)
