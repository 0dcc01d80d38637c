"""Docker and Podman keep every promise, on the real engines."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_subjects import real_engine, remove_storebase, subject_of, why_missing

from pman_core.testing import BackendConformance, Subject
from pman_core.testing.pytest_plugin import Engines


class TestDocker(BackendConformance):
    @pytest.fixture
    def subject(self, tmp_path: Path, engines: Engines) -> Iterator[Subject]:
        engines.need("docker", why_missing("docker"))
        subject = subject_of(real_engine("docker"), tmp_path)
        yield subject
        remove_storebase(subject)


class TestPodman(BackendConformance):
    @pytest.fixture
    def subject(self, tmp_path: Path, engines: Engines) -> Iterator[Subject]:
        engines.need("podman", why_missing("podman"))
        subject = subject_of(real_engine("podman"), tmp_path)
        yield subject
        remove_storebase(subject)
