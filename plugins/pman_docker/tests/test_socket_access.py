"""A user who may not use the engine's socket is told who may, and what to do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

#: The user of pman's image, who is in no group.
OTHER = 10001

#: It becomes that user only when Python has read what that user may perhaps not read.
ASK = f"""
import os, sys
from pman_core.contract.errors import EngineUnavailableError
from pman_docker.backend import DockerBackend
pman = DockerBackend({{"DOCKER_HOST": sys.argv[1]}})
os.setgroups([])
os.setgid({OTHER})
os.setuid({OTHER})
try:
    pman.pman_ping()
except EngineUnavailableError as error:
    print(error)
"""


@pytest.fixture
def listening() -> Iterator[Path]:
    """A socket where another user can see it: not below ``tmp_path``."""
    path = Path(f"/tmp/pman-socket-{os.getpid()}")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        try:
            server.listen()
            yield path
        finally:
            path.unlink()


def message_for(path: Path) -> str:
    """What pman says as that user, who holds no group."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, f"unix://{path}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@as_root
def test_the_group_of_the_socket_is_named_and_how_to_give_it(listening: Path) -> None:
    os.chown(listening, 0, 4242)
    listening.chmod(0o660)
    said = message_for(listening)
    assert f"uid {OTHER} may not use {listening}" in said
    assert "--group-add 4242" in said
    assert 'group_add: ["4242"]' in said


@as_root
@pytest.mark.parametrize(("group", "mode"), [(4242, 0o600), (0, 0o660)])
def test_where_no_group_may_the_owner_is_named(listening: Path, group: int, mode: int) -> None:
    os.chown(listening, 1234, group)
    listening.chmod(mode)
    said = message_for(listening)
    assert "uid 1234 may: run pman as that user" in said
    assert "--group-add" not in said


@as_root
def test_a_socket_in_a_folder_that_is_closed_is_reported(tmp_path: Path) -> None:
    assert f"may not look at {tmp_path}/x: Permission denied" in message_for(tmp_path / "x")
