"""Jobs as local processes keep the promises of the contract."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from pman_core import JobInfo
from pman_core.testing.conformance import BackendConformance, Subject
from pman_kit.job_folder import JobFolder
from pman_kit.spawn import spawn
from pman_kit.testing import supervised_subject
from pman_process.backend import ProcessBackend


class TestProcess(BackendConformance):
    @pytest.fixture
    def subject(self, tmp_path: Path, environ: dict[str, str]) -> Subject:
        state = Path(environ["PROCESS_STATE_DIR"])

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

        subject = supervised_subject(ProcessBackend, environ, state, tmp_path / "store")
        return attrs.evolve(subject, restart_run=restart_run)
