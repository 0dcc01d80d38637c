"""What all tests need; after each of them no process of its jobs may be left."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # with --import-mode=importlib nobody else does this

from jobs_kit import Harness, job_processes, until

from pman_kit.testing import remove_all, supervisors


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(tmp_path)
    yield harness
    remove_all(harness.jobs.page, harness.jobs.remove)
    assert job_processes(tmp_path) == []
    until(lambda: not supervisors(tmp_path), "no supervisor of the test to be left")
