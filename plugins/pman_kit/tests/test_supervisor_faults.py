"""What a supervisor does where the disk has a fault."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jobs_kit import Harness, until

from pman_core import Status
from pman_kit import supervise
from pman_kit.supervisor import start


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
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "_MAIN", _FULL_DISK)
    harness.jobs.submit(harness.shell("seq 100000; touch whole; exit 4"))
    folder = harness.folders / "job-1"
    until((folder / "tried").exists, "the supervisor to find the disk full")
    assert (harness.out / "whole").exists()
    assert harness.jobs.status("job-1").status is Status.STARTED
    (folder / "room").touch()
    info = harness.end()
    assert info.exit_code == 4
    assert info.message == ("exited with code 4 (its log is incomplete: No space left on device)")


def test_a_job_whose_end_cannot_be_written_down_can_be_removed(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "_MAIN", _FULL_DISK)
    harness.jobs.submit(harness.shell("true"))
    until((harness.folders / "job-1" / "tried").exists, "the supervisor to find the disk full")
    assert harness.jobs.remove("job-1") is True
