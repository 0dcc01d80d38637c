"""What Cromwell refuses: a job that cannot be, or one that it has already."""

import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from scripted_server import Script, fail
from spec_samples import job, settings, spec

from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_core.contract.info import JobFilter, Reason, Status
from pman_cromwell.backend import CromwellBackend
from pman_cromwell.job_store import JobStore

_ID = spec().workflow
_UNLISTED = (404, json.dumps(fail(f"Unrecognized workflow ID: {_ID}")))
#: START_DEADLINE is over.
OLD = attrs.evolve(spec(), created=datetime(2020, 1, 1, tzinfo=UTC))
_NONE: dict[str, Any] = {"results": [], "totalResultsCount": 0}


@pytest.fixture
def backend(script: Script, tmp_path: Path) -> CromwellBackend:
    (tmp_path / ".pman").mkdir()
    variables = {"CROMWELL_URL": script.url, "ENGINE_TIMEOUT": "20", "STOREBASE": str(tmp_path)}
    made = CromwellBackend(variables)
    # Only how long it waits for the summary: a single answer may take its time.
    made._submission._settings = settings(ENGINE_TIMEOUT="1")
    return made


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(str(tmp_path / ".pman" / "pman"), "pman")


@pytest.fixture
def full(
    backend: CromwellBackend, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> CromwellBackend:
    """A backend with an old job, on whose storage there is no room for anything else."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store.create(OLD)
    monkeypatch.setattr(os, "link", refuse)
    return backend


@pytest.mark.parametrize(
    "words",
    [
        f"Requested workflow IDs are already in use: {_ID}",
        f"Duplicate entry '{_ID}' for key 'UC_WORKFLOW_STORE_ENTRY_WEU'",
        "integrity constraint violation: unique constraint or index violation; "
        "UC_WORKFLOW_STORE_ENTRY_WEU table: WORKFLOW_STORE_ENTRY",
    ],
)
def test_a_job_that_cromwell_has_and_does_not_list_in_time_keeps_its_record(
    script: Script, backend: CromwellBackend, store: JobStore, words: str
) -> None:
    script.say(200, _NONE)
    script.say(400, fail(words))
    script.otherwise = _UNLISTED
    with pytest.raises(EngineUnavailableError, match="submit it again"):
        backend.pman_submit(job())
    assert store.run_files(spec())
    script.say(400, fail(words))
    script.say(200, {"id": _ID, "status": "Running"})
    script.say(200, _NONE)
    assert backend.pman_submit(job()).status is Status.NOT_STARTED
    seen = store.run_files(spec())
    assert seen
    assert seen.accepted


def test_a_refusal_of_what_was_posted_before_never_deletes_a_record(
    script: Script, backend: CromwellBackend, store: JobStore
) -> None:
    store.create(spec())
    script.say(400, fail("words that nobody promises"))
    script.otherwise = _UNLISTED
    with pytest.raises(EngineUnavailableError, match="nobody promises"):
        backend.pman_submit(job())
    assert store.spec(spec().name) == spec()
    assert store.run_files(spec())


def test_a_refusal_of_a_new_job_is_reported_at_once_and_leaves_nothing(
    script: Script, backend: CromwellBackend, store: JobStore
) -> None:
    script.say(200, _NONE)
    script.say(400, fail("Error(s): Invalid workflow options provided"))
    with pytest.raises(InvalidJobError, match="Invalid workflow options"):
        backend.pman_submit(job())
    assert script.methods() == ["GET", "POST"]
    assert store.spec(spec().name) is None
    assert store.run_files(spec()) is None


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (400, json.dumps(fail("HikariPool-1 - Connection is not available"))),
        (400, "<html>Bad Request</html>"),
        (403, "<html>Forbidden</html>"),
        (403, json.dumps(fail("Error(s): no credentials"))),
        (404, "<html>no such service</html>"),
    ],
)
def test_a_refusal_that_is_not_about_the_job_keeps_its_record(
    script: Script, backend: CromwellBackend, store: JobStore, code: int, answer: str
) -> None:
    script.say(200, _NONE)
    script.say(code, answer)
    script.otherwise = (code, answer)
    with pytest.raises(EngineUnavailableError):
        backend.pman_submit(job())
    assert store.spec(spec().name)
    script.say(201, {"id": _ID, "status": "Submitted"})
    script.otherwise = _UNLISTED
    assert backend.pman_submit(job()).status is Status.NOT_STARTED


def test_an_end_that_cannot_be_written_down_costs_the_job_and_not_the_list(
    script: Script, full: CromwellBackend
) -> None:
    script.otherwise = (200, json.dumps({"id": _ID, "status": "Aborted"}))
    (listed,) = full.pman_list(JobFilter(), 10, None).jobs
    assert listed.reason is Reason.KILLED
    with pytest.raises(EngineUnavailableError, match="No space left"):
        full.pman_status(job().jid)


def test_a_deadline_that_cannot_be_written_down_costs_the_job_and_not_the_list(
    script: Script, full: CromwellBackend
) -> None:
    script.otherwise = (200, json.dumps({"id": _ID, "status": "Submitted"}))
    (listed,) = full.pman_list(JobFilter(), 10, None).jobs
    assert listed.status is Status.NOT_STARTED
    with pytest.raises(EngineUnavailableError, match="No space left"):
        full.pman_status(job().jid)
