"""pman by its old commands, in processes of their own, on the backend that is in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cli_helpers import install_fake_backends, settings
from old_commands import Start, Started


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    """What an old command needs; nothing of this machine's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    fakes = install_fake_backends(tmp_path / "fakes")
    return {**kept, "PYTHONPATH": str(fakes), **settings(tmp_path / "storebase")}


@pytest.fixture
def start(environ: Mapping[str, str], tmp_path: Path) -> Iterator[Start]:
    """Start ``python -m`` something with these arguments and variables."""
    started: list[Started] = []

    def begin(*arguments: str, **variables: str) -> Started:
        output = tmp_path / f"output-{len(started)}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=tmp_path,
                env={**environ, **variables},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        started.append(Started(process, output))
        return started[-1]

    yield begin
    for one in started:
        one.process.terminate()
    for one in started:
        try:
            one.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            one.process.kill()
            one.process.wait()
