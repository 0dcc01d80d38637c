"""The engines, and what tests make on them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cromwell_kit import Server, server, subject_of, why_missing
from node_kit import Node
from scripted_server import Script, scripted

from pman_core.testing.conformance import Harness
from pman_core.testing.pytest_plugin import Engines


@pytest.fixture(scope="session")
def cromwell(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A stand-in with short times, whose nodes run commands themselves."""
    missing = why_missing()
    engines.need("slurm", missing)
    engines.need("cromwell", missing)
    with server(tmp_path_factory.mktemp("cromwell"), "none") as made:
        yield made


@pytest.fixture
def harness(cromwell: Server, tmp_path: Path) -> Iterator[Harness]:
    """The tools of a test; what they made is removed afterwards."""
    with subject_of(cromwell, tmp_path) as subject:
        made = Harness(subject)
        yield made
        made.clean_up()


@pytest.fixture
def script() -> Iterator[Script]:
    """A server in Cromwell's place that answers what the test chose."""
    with scripted() as made:
        yield made


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node without any program."""
    made = Node(tmp_path)
    made.bin.mkdir()
    made.folder.mkdir(parents=True)
    return made
