"""What all tests need; after each of them no process of its jobs may be left."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # with --import-mode=importlib nobody else does this

from process_kit import Bench, job_processes, remove_all, supervisors, until


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables of a pman with a state folder of its own, where all jobs end afterwards."""
    path = f"{Path(sys.executable).parent}:{os.defpath}"
    variables = {"PROCESS_STATE_DIR": str(tmp_path / "state"), "PATH": path}
    yield variables
    remove_all(variables)
    assert job_processes(tmp_path) == []
    until(lambda: not supervisors(tmp_path), "no supervisor of the test to be left")


@pytest.fixture
def bench(tmp_path: Path, environ: dict[str, str]) -> Bench:
    return Bench(tmp_path, environ)
