"""The cluster, and what tests make on it."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from k8s_certificates import Certificate, certificate
from k8s_cluster import RULES_OF_PMAN_6, account_with, why_missing, why_no_faults
from k8s_kit import K8sKit, kit_on

from pman_core.testing.pytest_plugin import Engines


@pytest.fixture
def cluster(engines: Engines) -> None:
    """A real cluster."""
    engines.need("kubernetes", why_missing())


@pytest.fixture
def kit(cluster: None, tmp_path: Path) -> Iterator[K8sKit]:
    """The tools of a test; all that it made goes away with it."""
    with kit_on(tmp_path) as made:
        yield made


@pytest.fixture
def fragile(engines: Engines, tmp_path: Path) -> Iterator[K8sKit]:
    """Likewise, on a cluster whose parts the test may kill."""
    engines.need("kubernetes", why_no_faults())
    with kit_on(tmp_path) as made:
        yield made
    gc.collect()  # see PYTHON_LEAVES_SOCKETS


@pytest.fixture
def role_of_pman_6(kit: K8sKit, tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of an account that may do what pman 6 did."""
    folder = tmp_path / "role"
    folder.mkdir()
    with account_with(RULES_OF_PMAN_6, kit.instance) as token:
        yield kit.account.kubeconfig(folder, token=token)


@pytest.fixture
def named(tmp_path: Path) -> Certificate:
    """Of a server that has a name, and no address."""
    return certificate(tmp_path, "DNS:api.example")


@pytest.fixture
def addressed(tmp_path: Path) -> Certificate:
    return certificate(tmp_path, "IP:127.0.0.1")
