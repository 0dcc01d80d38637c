"""The stand-in's own tests run where ``engines/up cromwell`` has been."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pman_core.testing.pytest_plugin import Engines
from standin_server import Serve, Server, python, serving


@pytest.fixture
def serve(engines: Engines, tmp_path: Path) -> Iterator[Serve]:
    """Starts a server with a configuration file of this folder and options."""
    engines.need("cromwell", None if python() else "engines/up cromwell did not run")
    with contextlib.ExitStack() as stack:

        def begin(config: str, *options: str) -> Server:
            return stack.enter_context(serving(tmp_path, config, *options))

        yield begin


@pytest.fixture(scope="session")
def shared(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """In a hurry, for tests that only send what is refused."""
    engines.need("cromwell", None if python() else "engines/up cromwell did not run")
    with serving(tmp_path_factory.mktemp("shared"), "plain.conf") as made:
        yield made


@pytest.fixture
def server(serve: Serve) -> Server:
    """In a hurry, with jobs that are plain processes."""
    return serve("plain.conf")


@pytest.fixture
def slurm_server(serve: Serve, engines: Engines) -> Server:
    """In a hurry, with real SLURM."""
    there = shutil.which("sbatch") and os.environ.get("PMAN_SLURM")
    engines.need("slurm", None if there else "engines/up slurm did not run")
    return serve("slurm.conf")
