"""Docker and Podman keep every promise, on the real engines."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from docker_on_podman import DockerOnPodman
from engine_subjects import (
    SDK_LEAVES_SOCKETS,
    RealEngine,
    real_engine,
    subject_of,
    why_missing,
)
from own_engines import subject_that_crashes, why_no_own_engine

from pman_core.testing import BackendConformance, Subject
from pman_core.testing.conformance.directories import DirectoryPromises
from pman_core.testing.conformance.limits import LimitPromises
from pman_core.testing.conformance.logs import LogPromises
from pman_core.testing.conformance.surroundings import SurroundingsPromises
from pman_core.testing.pytest_plugin import Engines

#: A killed pman's job is gone on with after 2 x ENGINE_TIMEOUT, and eight are killed one by one.
pytestmark = [pytest.mark.timeout(600), pytest.mark.filterwarnings(SDK_LEAVES_SOCKETS)]

CRASHES = BackendConformance.test_an_engine_that_crashes_loses_and_repeats_no_job.__name__


def subject_for(
    request: pytest.FixtureRequest, engine: RealEngine, folder: Path
) -> AbstractContextManager[Subject]:
    """The engine of the machine; for the test that crashes one, an engine of its own."""
    if request.function.__name__ == CRASHES and why_no_own_engine(engine) is None:
        return subject_that_crashes(engine, folder)
    return subject_of(engine, folder)


class TestDocker(BackendConformance):
    @pytest.fixture
    def subject(
        self, request: pytest.FixtureRequest, tmp_path: Path, engines: Engines
    ) -> Iterator[Subject]:
        engines.need("docker", why_missing("docker"))
        with subject_for(request, real_engine("docker"), tmp_path) as subject:
            yield subject


class TestPodman(BackendConformance):
    @pytest.fixture
    def subject(
        self, request: pytest.FixtureRequest, tmp_path: Path, engines: Engines
    ) -> Iterator[Subject]:
        engines.need("podman", why_missing("podman"))
        with subject_for(request, real_engine("podman"), tmp_path) as subject:
            yield subject


class TestDockerOnPodman(SurroundingsPromises, DirectoryPromises, LimitPromises, LogPromises):
    """Where the two differ; the whole class, which passes as well, would take too long."""

    harness = BackendConformance.harness

    @pytest.fixture
    def subject(self, tmp_path: Path, engines: Engines) -> Iterator[Subject]:
        engines.need("podman", why_missing("podman"))
        with subject_of(real_engine("podman"), tmp_path, DockerOnPodman) as subject:
            yield subject
