"""Keys that a kubeconfig holds lie in files for as long as their process lives, and no longer."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

#: Makes a client of the kubeconfig in KUBECONFIG, reports that, and lives until its input ends.
PROCESS = """
import os, sys
from pman_core.kit.settings import load
from pman_k8s.connection import Connection
from pman_k8s.settings import K8sSettings
configuration = Connection(load(K8sSettings, os.environ), os.environ).client().configuration
print(configuration.ssl_ca_cert, flush=True)
sys.stdin.read()
"""

Start = Callable[[], tuple[subprocess.Popen[str], Path]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Begin a process; it, and the file that it has of a certificate."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [
            {
                "name": "c",
                "cluster": {
                    "server": "https://localhost:1",
                    "certificate-authority-data": "Y2VydGlmaWNhdGU=",
                    "insecure-skip-tls-verify": True,
                },
            }
        ],
        "users": [{"name": "c", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    (tmp_path / "tmp").mkdir()
    own = {"KUBECONFIG": str(tmp_path / "config"), "TMPDIR": str(tmp_path / "tmp")}
    begun: list[subprocess.Popen[str]] = []

    def begin() -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROCESS],
            env={**os.environ, **own},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        assert process.stdout
        return process, Path(process.stdout.readline().strip())

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def test_keys_of_a_killed_pman_are_removed_when_the_next_one_begins(
    start: Start, tmp_path: Path
) -> None:
    killed, left = start()
    living, kept = start()
    assert left.read_text() == "certificate"
    assert left.parent.stat().st_mode & 0o077 == 0
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert left.exists()
    another, _ = start()
    assert not left.parent.exists()
    assert kept.exists()
    for process in (living, another):
        process.communicate("")
    assert not list((tmp_path / "tmp").iterdir())


def test_folders_of_other_users_and_links_are_left_alone(start: Start, tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can make files of another user")
    other = tmp_path / "tmp" / "pman-kubeconfig-other"
    other.mkdir()
    os.chown(other, 65534, 65534)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = tmp_path / "tmp" / "pman-kubeconfig-link"
    link.symlink_to(elsewhere)
    start()
    assert other.exists()
    assert elsewhere.exists()
