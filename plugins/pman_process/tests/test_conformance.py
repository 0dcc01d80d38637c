"""Jobs as local processes keep the promises of the contract."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from process_kit import processes_with

from pman_core import JobInfo
from pman_core.contract.storage import host_storage
from pman_core.testing.conformance import BackendConformance, Subject
from pman_kit.job_folder import JobFolder
from pman_kit.layout import BEGAN, ENDED, JOB, MARK
from pman_process.backend import ProcessBackend
from pman_process.spawn import spawn


class TestProcess(BackendConformance):
    @pytest.fixture
    def subject(self, tmp_path: Path, environ: dict[str, str]) -> Subject:
        state = Path(environ["PROCESS_STATE_DIR"])
        away = state.with_name("away")
        storebase = tmp_path / "store"
        storebase.mkdir()

        def crash() -> None:
            """There is no engine that could crash but the machine: all processes end."""
            for began in state.glob(f"jobs/*/{BEGAN}"):
                if not began.with_name(ENDED).exists():
                    os.kill(json.loads(began.read_text())["pid"], signal.SIGKILL)
            os.rename(state, away)

        @contextlib.contextmanager
        def make_foreign(name: str) -> Iterator[Callable[[], bool]]:
            folder = state / "jobs" / name
            folder.mkdir()
            yield folder.exists
            folder.rmdir()

        def lose_run(info: JobInfo) -> None:
            began = json.loads((state / "jobs" / info.native / BEGAN).read_text())
            os.kill(began["pid"], signal.SIGKILL)

        def restart_run(info: JobInfo) -> None:
            """A second supervisor for a job that has ended; it holds the lock until it ends."""
            path = state / "jobs" / info.native
            with JobFolder(path) as folder:
                with folder.lock_after_end(20) as held:  # the supervisor has just written the end
                    assert held
                with folder.lock() as lock:
                    assert lock is not None
                    spawn(path, lock, 20)
                with folder.lock_after_end(20) as held:
                    assert held

        def limits_swap(info: JobInfo) -> bool:
            """Address space is address space, be it in memory or in swap."""
            record = json.loads((state / "jobs" / info.native / JOB).read_text())
            (process,) = processes_with("environ", f"{MARK}={record['mark']}".encode())
            limits = Path(f"/proc/{process}/limits").read_text()
            return f"Max address space {record['memory_mib'] << 20} " in " ".join(limits.split())

        return Subject(
            factory=ProcessBackend,
            environ=environ,
            image="local",
            storage=host_storage(str(storebase)),
            storebase=storebase,
            stop_engine=partial(os.rename, state, away),
            crash_engine=crash,
            start_engine=partial(os.rename, away, state),
            make_foreign=make_foreign,
            lose_run=lose_run,
            restart_run=restart_run,
            limits_swap=limits_swap,
        )
