"""The backend that the README shows is complete: it keeps every promise of the contract.

It runs on task-spooler where that is installed (``tsp``), and else on a stand-in.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.timeout(900)  # a minute on a machine that has nothing else to do
def test_the_printed_backend_keeps_every_promise(tmp_path: Path) -> None:
    readme = (HERE.parent / "README.md").read_text()
    for block in re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL):
        name = re.match(r"# (\S+\.py)\n", block)
        assert name
        (tmp_path / name[1]).write_text(block)
    tools = tmp_path / "tools"
    tools.mkdir()
    if not shutil.which("tsp"):
        standin = f'#!/bin/sh\nexec {sys.executable} -I -S {HERE / "tsp_standin.py"} "$@"\n'
        (tools / "tsp").write_text(standin)
        (tools / "tsp").chmod(0o755)
    (tmp_path / "queue-files").mkdir()
    environ = {
        **os.environ,
        "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TMPDIR": str(tmp_path / "queue-files"),
        "TS_SOCKET": str(tmp_path / "socket"),
        "TS_SLOTS": "32",
    }
    options = ["-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'tests'}", "--timeout=300"]
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", *options, "test_pman_tsp.py"],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=840,
        )
    finally:
        if shutil.which("tsp"):
            subprocess.run(["tsp", "-K"], env=environ, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    kept = re.search(r"TestTsp: (\d+) promises kept", ran.stdout)
    assert kept, ran.stdout
    assert int(kept[1]) > 80
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if _names(path, tmp_path)]


def _names(cmdline: Path, folder: Path) -> bool:
    """Whether a process has a path below the folder in its command line."""
    try:
        return os.fsencode(folder) + b"/tests/" in cmdline.read_bytes()
    except OSError:
        return False
