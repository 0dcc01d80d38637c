"""What all tests need; after each of them no process of its jobs may be left."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # with --import-mode=importlib nobody else does this

from jobs_kit import Workbench, job_processes, until

from pman_kit.testing import remove_all, supervisors


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    workbench = Workbench(tmp_path)
    yield workbench
    remove_all(workbench.jobs.page, workbench.jobs.remove)
    assert job_processes(tmp_path) == []
    until(lambda: not supervisors(tmp_path), "no supervisor of the test to be left")
