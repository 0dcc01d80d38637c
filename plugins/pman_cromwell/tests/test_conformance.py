"""SLURM behind Cromwell's stand-in keeps every promise."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cromwell_kit import Server, subject_of

from pman_core.testing import BackendConformance, Subject


class TestCromwell(BackendConformance):
    @pytest.fixture
    def subject(self, cromwell: Server, tmp_path: Path) -> Iterator[Subject]:
        with subject_of(cromwell, tmp_path) as subject:
            yield subject
