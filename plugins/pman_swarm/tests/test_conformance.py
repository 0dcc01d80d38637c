"""Docker Swarm keeps every promise, on a real swarm of two nodes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from swarm_subjects import real_swarm, subject_of, why_missing

from pman_core.testing import BackendConformance, Subject
from pman_core.testing.pytest_plugin import Engines

# The SDK does not close a socket that cannot connect.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class TestSwarm(BackendConformance):
    @pytest.fixture
    def subject(self, tmp_path: Path, engines: Engines) -> Iterator[Subject]:
        engines.need("swarm", why_missing())
        with real_swarm() as swarm, subject_of(swarm, tmp_path) as subject:
            yield subject
