"""Docker Swarm keeps every promise, on a real swarm of two nodes."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import attrs
import pytest
from swarm_power import MANAGER, Power, why_no_power
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
            yield subject if why_no_power(swarm) else with_power(subject, Power(swarm))


def with_power(subject: Subject, power: Power) -> Subject:
    """The same, whose manager can have a power failure."""
    connect = subject.start_engine
    assert connect

    def start() -> None:
        power.repair()
        connect()

    return attrs.evolve(subject, crash_engine=partial(power.cut, MANAGER), start_engine=start)
