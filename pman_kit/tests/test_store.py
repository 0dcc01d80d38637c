"""The state folder: whose it is, what happens when it is away, and what is listed from it."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from process_kit import Bench, until

from pman_core import JobFilter, Resources, Status
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError, SettingsError
from pman_core.kit.settings import load, variables
from pman_kit import reconcile
from pman_kit.supervisor import start
from pman_process import backend as backend_module
from pman_process import spawn
from pman_process.backend import ProcessBackend
from pman_process.settings import ProcessSettings, state_folder


def test_the_state_folder_is_created_for_its_owner_only(bench: Bench) -> None:
    old = os.umask(0)
    try:
        assert bench.backend.pman_ping().startswith("local processes on ")
    finally:
        os.umask(old)
    for path in (bench.jobs, bench.jobs.parent):
        assert path.stat().st_mode & 0o777 == 0o700


def test_a_state_folder_that_others_can_enter_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with pytest.raises(SettingsError, match=r"open to other users \(mode 750\)"):
        ProcessBackend({"PROCESS_STATE_DIR": str(tmp_path)})
    assert tmp_path.stat().st_mode & 0o777 == 0o750
    tmp_path.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_state_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o700)
    os.chown(tmp_path / "theirs", 12345, -1)
    with pytest.raises(SettingsError, match="belongs to another user"):
        ProcessBackend({"PROCESS_STATE_DIR": str(tmp_path / "theirs")})


def test_a_state_folder_that_cannot_be_made_is_told_at_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="PROCESS_STATE_DIR"):
        ProcessBackend({"PROCESS_STATE_DIR": str(tmp_path / "file" / "state")})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PROCESS_STATE_DIR": "/x/"}, "/x"),
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/pman-process"),
        ({"HOME": "/h"}, "/h/.local/state/pman-process"),
    ],
)
def test_the_state_folder_is_where_the_user_keeps_such_things(
    environ: dict[str, str], expected: str
) -> None:
    assert state_folder(load(ProcessSettings, environ), environ) == Path(expected)


def test_every_setting_is_in_the_readme() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for variable in variables(ProcessSettings):
        if variable.name.startswith("PROCESS_"):
            assert f"`{variable.name}`" in readme


def test_a_state_folder_that_is_away_is_an_engine_that_is_down(bench: Bench) -> None:
    backend = bench.backend
    backend.pman_submit(bench.shell("touch running; sleep 1000"))
    bench.wait_for("running")
    state, away = bench.jobs.parent, bench.root / "away"
    state.rename(away)
    job = bench.shell("true", jid="job-2")
    info = None
    for ask in (
        backend.pman_ping,
        lambda: backend.pman_status("job-1"),
        lambda: backend.pman_submit(job),
        lambda: backend.pman_remove("job-1"),
        lambda: backend.pman_list(JobFilter(), 10, None),
    ):
        with pytest.raises(EngineUnavailableError, match=str(state)):
            info = ask()
    assert info is None
    assert not state.exists()
    away.rename(state)
    assert backend.pman_status("job-1").status is Status.STARTED


def test_pages_are_in_the_order_of_names_and_foreign_things_are_not_in_them(bench: Bench) -> None:
    for number in range(5):
        bench.run(bench.shell(f"exit {number}", jid=f"job-{number}", labels={"n": str(number % 2)}))
    (bench.jobs / "a-file").touch()
    (bench.jobs / "job-00").mkdir()
    (bench.jobs / "job-01").mkdir()
    (bench.jobs / "job-01" / "job.json").write_text('{"jid": "job-01"}')
    backend = bench.backend
    page, seen = backend.pman_list(JobFilter(), 2, None), []
    while True:
        assert len(page.jobs) <= 2
        seen += [info.jid for info in page.jobs]
        if page.cursor is None:
            break
        page = bench.backend.pman_list(JobFilter(), 2, page.cursor)
    assert seen == [f"job-{number}" for number in range(5)]
    odd = backend.pman_list(JobFilter(status=Status.FAILED, labels={"n": "1"}), 100, None)
    assert [info.jid for info in odd.jobs] == ["job-1", "job-3"]
    for cursor in ("", "../job-1", "x" * 64, "UP"):
        with pytest.raises(InvalidJobError, match="cursor"):
            backend.pman_list(JobFilter(), 2, cursor)


def test_what_a_killed_pman_left_half_made_or_half_deleted_is_cleaned_on_sight(
    bench: Bench,
) -> None:
    backend = bench.backend
    for name in ("half-made", "half-deleted"):
        (bench.root / "state" / "spare" / name).mkdir()
        (bench.root / "state" / "spare" / name / "environment.json").write_text("{}")
    bench.run(bench.job("true"))
    assert list((bench.root / "state" / "spare").iterdir()) == []
    assert backend.pman_remove("job-1")


def test_only_the_image_local_can_be_run(bench: Bench) -> None:
    bench.backend.pman_validate(bench.job("true"))
    with pytest.raises(InvalidJobError) as caught:
        bench.backend.pman_validate(bench.job("true", image="fnndsc/pl-app", env={"A=": ""}))
    assert set(caught.value.faults) == {"image", "env"}
    assert "'local'" in caught.value.faults["image"]


def test_the_mark_of_processes_cannot_be_set_by_a_client(bench: Bench) -> None:
    with pytest.raises(InvalidJobError, match="PMAN_PROCESS_JOB"):
        bench.backend.pman_validate(bench.job("true", env={"PMAN_PROCESS_JOB": "x"}))


def test_check_says_whose_rights_the_jobs_have(bench: Bench) -> None:
    notes = " ".join(bench.backend.pman_capabilities().notes)
    assert f"uid {os.getuid()}" in notes


def test_a_job_of_no_limits_runs(bench: Bench) -> None:
    info = bench.run(bench.shell("ulimit -v", resources=Resources(memory_mib=2048)))
    assert info.status is Status.SUCCEEDED
    assert bench.log() == b"2097152\n"


def test_a_job_that_cannot_be_begun_now_costs_the_others_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = bench.backend
    with monkeypatch.context() as patch:
        patch.setattr(spawn, "_MAIN", "raise SystemExit(3)")
        for name in "abc":
            with pytest.raises(EngineUnavailableError):
                backend.pman_submit(bench.shell(f"touch {name}", jid=name))
        listed = backend.pman_list(JobFilter(), 10, None).jobs
        assert [(one.jid, one.status) for one in listed] == [
            (name, Status.NOT_STARTED) for name in "abc"
        ]
    whole, faults = reconcile.reconcile, [OSError(errno.ESTALE, "stale")]

    def once_stale(*what: Any) -> None:
        if faults:
            raise faults.pop()
        whole(*what)

    monkeypatch.setattr(backend_module, "reconcile", once_stale)
    with pytest.raises(EngineUnavailableError, match="stale"):
        backend.pman_resume()
    until(lambda: len(list(bench.out.iterdir())) == 2, "the other two")


def test_a_directory_that_cannot_be_seen_for_a_moment_is_no_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [errno.ESTALE, errno.EIO]

    look = os.stat

    def stat(path: Any, **how: Any) -> os.stat_result:
        if path == str(tmp_path) and faults:
            raise OSError(faults[0], os.strerror(faults[0]), path)
        return look(path, **how)

    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: faults.pop())
    monkeypatch.setattr(start, "time", clock)
    monkeypatch.setattr(os, "stat", stat)
    assert start._fault_of(str(tmp_path)) == ""
    assert faults == []
    assert start._fault_of(str(tmp_path / "missing")) == "no such directory"
    faults.append(errno.ESTALE)
    monkeypatch.setattr(start, "_PATIENCE_S", -1)
    assert start._fault_of(str(tmp_path)) == os.strerror(errno.ESTALE)


_FULL_DISK = """
import errno, os, sys
sys.path.append(sys.argv[1])
from pman_kit.supervisor import joblog, main
def full(*_): raise OSError(errno.ENOSPC, "No space left on device")
def write_record(folder, name, record, write=main.write_record):
    if name == "ended.json" and not os.path.exists(sys.argv[2] + "/room"):
        open(sys.argv[2] + "/tried", "w").close()
        full()
    write(folder, name, record)
joblog.Log._write = full
main.write_record = write_record
main.main(*sys.argv[2:])
"""


def test_a_full_disk_costs_the_log_but_neither_the_job_nor_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawn, "_MAIN", _FULL_DISK)
    bench.backend.pman_submit(bench.shell("seq 100000; touch whole; exit 4"))
    folder = bench.jobs / "job-1"
    until((folder / "tried").exists, "the supervisor to find the disk full")
    assert (bench.out / "whole").exists()
    assert bench.backend.pman_status("job-1").status is Status.STARTED
    (folder / "room").touch()
    info = bench.end()
    assert info.exit_code == 4
    assert info.message == ("exited with code 4 (its log is incomplete: No space left on device)")


def test_a_job_whose_end_cannot_be_written_down_can_be_removed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawn, "_MAIN", _FULL_DISK)
    bench.backend.pman_submit(bench.shell("true"))
    until((bench.jobs / "job-1" / "tried").exists, "the supervisor to find the disk full")
    assert bench.backend.pman_remove("job-1") is True
