"""What all tests need; after each of them no supervisor of its jobs may be left."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pman_kit.testing import remove_all, supervisors
from pman_process.backend import ProcessBackend

sys.path.append(str(Path(__file__).parent))  # with --import-mode=importlib nobody else does this


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables of a pman with a state folder of its own, where all jobs end afterwards."""
    path = f"{Path(sys.executable).parent}:{os.defpath}"
    variables = {"PROCESS_STATE_DIR": str(tmp_path / "state"), "PATH": path}
    yield variables
    for instance in ("pman", "conformance-other"):
        backend = ProcessBackend({**variables, "INSTANCE": instance})
        remove_all(backend.pman_list, backend.pman_remove)
    deadline = time.monotonic() + 60
    while supervisors(tmp_path):
        assert time.monotonic() < deadline, "a supervisor of the test is left"
        time.sleep(0.01)
