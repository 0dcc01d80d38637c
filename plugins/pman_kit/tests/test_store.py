"""The state folder: whose it is, what happens when it is away, and what is listed from it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from jobs_kit import Harness, until

from pman_core import JobFilter, Status
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError, SettingsError
from pman_kit import jobs as jobs_module
from pman_kit import reconcile, supervise
from pman_kit.store import JobStore


def test_the_state_folder_is_created_for_its_owner_only(harness: Harness) -> None:
    old = os.umask(0)
    try:
        harness.jobs.check()
    finally:
        os.umask(old)
    for path in (harness.folders, harness.folders.parent):
        assert path.stat().st_mode & 0o777 == 0o700


def test_a_state_folder_that_others_can_enter_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with pytest.raises(SettingsError, match=r"open to other users \(mode 750\)"):
        JobStore(tmp_path, "STATE_DIR").prepare()
    assert tmp_path.stat().st_mode & 0o777 == 0o750
    tmp_path.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_state_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o700)
    os.chown(tmp_path / "theirs", 12345, -1)
    with pytest.raises(SettingsError, match="belongs to another user"):
        JobStore(tmp_path / "theirs", "STATE_DIR").prepare()


def test_a_state_folder_that_cannot_be_made_fails_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="STATE_DIR cannot be used"):
        JobStore(tmp_path / "file" / "state", "STATE_DIR").prepare()


def test_a_state_folder_that_is_away_is_an_engine_that_is_down(harness: Harness) -> None:
    backend = harness.jobs
    backend.submit(harness.shell("touch running; sleep 1000"))
    harness.wait_for("running")
    state, away = harness.folders.parent, harness.root / "away"
    state.rename(away)
    job = harness.shell("true", jid="job-2")
    info = None
    for ask in (
        backend.check,
        lambda: backend.status("job-1"),
        lambda: backend.submit(job),
        lambda: backend.remove("job-1"),
        lambda: backend.page(JobFilter(), 10, None),
    ):
        with pytest.raises(EngineUnavailableError, match=str(state)):
            info = ask()
    assert info is None
    assert not state.exists()
    away.rename(state)
    assert backend.status("job-1").status is Status.STARTED


def test_pages_are_in_the_order_of_names_and_hold_nothing_foreign(
    harness: Harness,
) -> None:
    for number in range(5):
        harness.run(
            harness.shell(f"exit {number}", jid=f"job-{number}", labels={"n": str(number % 2)})
        )
    (harness.folders / "a-file").touch()
    (harness.folders / "job-00").mkdir()
    (harness.folders / "job-01").mkdir()
    (harness.folders / "job-01" / "job.json").write_text('{"jid": "job-01"}')
    backend = harness.jobs
    page, seen = backend.page(JobFilter(), 2, None), []
    while True:
        assert len(page.jobs) <= 2
        seen += [info.jid for info in page.jobs]
        if page.cursor is None:
            break
        page = harness.jobs.page(JobFilter(), 2, page.cursor)
    assert seen == [f"job-{number}" for number in range(5)]
    odd = backend.page(JobFilter(status=Status.FAILED, labels={"n": "1"}), 100, None)
    assert [info.jid for info in odd.jobs] == ["job-1", "job-3"]
    for cursor in ("", "../job-1", "x" * 64, "UP"):
        with pytest.raises(InvalidJobError, match="cursor"):
            backend.page(JobFilter(), 2, cursor)


def test_what_a_killed_pman_left_half_made_or_half_deleted_is_cleaned_on_sight(
    harness: Harness,
) -> None:
    backend = harness.jobs
    for name in ("half-made", "half-deleted"):
        (harness.root / "state" / "spare" / name).mkdir()
        (harness.root / "state" / "spare" / name / "environment.json").write_text("{}")
    harness.run(harness.job("true"))
    assert list((harness.root / "state" / "spare").iterdir()) == []
    assert backend.remove("job-1")


def test_a_job_that_cannot_be_begun_now_costs_the_others_nothing(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = harness.jobs
    with monkeypatch.context() as patch:
        patch.setattr(supervise, "_MAIN", "raise SystemExit(3)")
        for name in "abc":
            with pytest.raises(EngineUnavailableError):
                backend.submit(harness.shell(f"touch {name}", jid=name))
        listed = backend.page(JobFilter(), 10, None).jobs
        assert [(one.jid, one.status) for one in listed] == [
            (name, Status.NOT_STARTED) for name in "abc"
        ]
    whole, faults = reconcile.reconcile, [OSError(errno.ESTALE, "stale")]

    def once_stale(*what: Any, **limits: Any) -> None:
        if faults:
            raise faults.pop()
        whole(*what, **limits)

    monkeypatch.setattr(jobs_module, "reconcile", once_stale)
    with pytest.raises(EngineUnavailableError, match="stale"):
        backend.resume()
    until(lambda: len(list(harness.out.iterdir())) == 2, "the other two")
