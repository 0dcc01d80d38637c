"""The demo of the README works."""

import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parent.parent / "examples/demo/demo.py"


@pytest.mark.parametrize("backend", ["process"])
def test_the_demo_runs_a_job_and_removes_it(backend: str) -> None:
    ran = subprocess.run(
        [sys.executable, DEMO, "--backend", backend], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for said in ("finishedSuccessfully", "result file words.json", "the job is removed"):
        assert said in ran.stdout
