"""The demo of the README works."""

import subprocess
import sys
from pathlib import Path

import pytest
from engine_subjects import why_missing

from pman_core.testing.pytest_plugin import Engines

DEMO = Path(__file__).parent.parent / "examples/demo/demo.py"


@pytest.mark.parametrize("backend", ["process", "docker", "podman"])
def test_the_demo_runs_a_job_and_removes_it(backend: str, engines: Engines) -> None:
    if backend != "process":
        engines.need(backend, why_missing(backend))
    ran = run(backend)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for said in ("finishedSuccessfully", "result file words.json", "the job is removed"):
        assert said in ran.stdout


def test_the_demo_says_how_to_bring_up_an_engine_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    ran = run("docker")
    assert ran.returncode != 0
    assert "cannot be reached" in ran.stderr
    assert "engines/up docker" in ran.stdout


def test_the_demo_says_how_to_get_an_image_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, engines: Engines
) -> None:
    engines.need("docker", why_missing("docker"))
    monkeypatch.setenv("PMAN_TEST_IMAGE", "localhost:1/no-such-image:1")
    ran = run("docker")
    assert ran.returncode != 0
    told = "cannot get image localhost:1/no-such-image:1: the registry cannot be reached ("
    assert told in ran.stdout
    assert "engines/up docker" in ran.stdout
    assert "the job is removed" not in ran.stdout


def run(backend: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, DEMO, "--backend", backend], capture_output=True, text=True, timeout=120
    )
