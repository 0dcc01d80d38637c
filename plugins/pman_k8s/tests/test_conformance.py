"""Every promise of the contract, on a real cluster, with the documented Role and nothing more."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from k8s_cluster import PYTHON_LEAVES_SOCKETS
from k8s_subjects import subject_on

from pman_core.testing import BackendConformance, Subject


@pytest.mark.filterwarnings(PYTHON_LEAVES_SOCKETS)
class TestKubernetes(BackendConformance):
    @pytest.fixture
    def subject(self, cluster: None, tmp_path: Path) -> Iterator[Subject]:
        with subject_on(tmp_path) as made:
            yield made
