"""Every promise of the contract, on a real cluster, with the documented Role and nothing more."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from k8s_cluster import PYTHON_LEAVES_SOCKETS
from k8s_subjects import host_of_tests, subject_on

from pman_core.testing import BackendConformance, Subject
from pman_core.testing.conformance.directories import DirectoryPromises
from pman_core.testing.conformance.links import LinkPromises


@pytest.mark.filterwarnings(PYTHON_LEAVES_SOCKETS)
class TestKubernetes(BackendConformance):
    @pytest.fixture
    def subject(self, cluster: None, tmp_path: Path) -> Iterator[Subject]:
        with subject_on(tmp_path) as made:
            yield made


@pytest.mark.filterwarnings(PYTHON_LEAVES_SOCKETS)
class TestHostStorage(DirectoryPromises, LinkPromises):
    """What depends on the storage; the whole class would take twice as long."""

    harness = BackendConformance.harness

    @pytest.fixture
    def subject(self, cluster: None, tmp_path: Path) -> Iterator[Subject]:
        with subject_on(tmp_path, host_of_tests()) as made:
            yield made
