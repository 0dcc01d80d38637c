"""A smoke test of Podman without root, which on cgroup v1 keeps no job to any limit.

Nothing here may take memory: each job is one small command, and ``engines/up podman-rootless``
bounds every process.
"""

import os
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest
from flask.testing import FlaskClient

from pman_core.app import create_app
from pman_core.testing.pytest_plugin import Engines

NAME = "podman-rootless"
HOST = os.environ.get("PMAN_PODMAN_ROOTLESS_HOST", "")
IMAGE = os.environ.get("PMAN_TEST_IMAGE", "localhost/pman-test:1")


def why_missing() -> str | None:
    if not HOST:
        return f"PMAN_PODMAN_ROOTLESS_HOST is not set; run engines/up {NAME}"
    try:
        with socket.socket(socket.AF_UNIX) as probe:  # the SDK leaves one open that fails
            probe.connect(HOST.removeprefix("unix://"))
        api: Any = docker.APIClient(HOST, version="auto", timeout=10)
        api.inspect_image(IMAGE)
        info = api.info()
    except (OSError, docker.errors.DockerException) as error:
        return f"it cannot be used at {HOST} ({error}); run engines/up {NAME}"
    if not info.get("Rootless"):
        return f"the engine at {HOST} is not rootless"
    if info["CgroupVersion"] != "1":
        return "this is about cgroup v1, where a rootless engine cannot set limits"
    return None


@pytest.fixture
def environ(engines: Engines) -> Iterator[dict[str, str]]:
    engines.need(NAME, why_missing())
    # pytest's own folders are closed to the engine's user, who is root in its containers.
    storebase = Path(tempfile.mkdtemp(prefix="pman-rootless-", dir="/tmp"))
    try:
        storebase.chmod(0o755)
        (storebase / "in").mkdir()
        (storebase / "out").mkdir()
        os.chown(storebase / "out", Path(HOST.removeprefix("unix://")).stat().st_uid, -1)
        yield {
            "CONTAINER_ENV": "podman",
            "DOCKER_HOST": HOST,
            "STORAGE_TYPE": "host",
            "STOREBASE": str(storebase),
            "INSTANCE": f"rootless-{uuid.uuid4().hex[:8]}",
        }
    finally:
        shutil.rmtree(storebase)


def request(jid: str) -> dict[str, Any]:
    return {
        "jid": jid,
        "image": IMAGE,
        "entrypoint": ["sh", "-c", 'echo hello; touch "$1/made"', "sh"],
        "args": [],
        "auid": "cube",
        "type": "fs",
        "number_of_workers": 1,
        "cpu_limit": 1000,
        "memory_limit": 300,
        "gpu_limit": 0,
        "input_dir": "in",
        "output_dir": "out",
    }


def ended(client: FlaskClient, jid: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer: dict[str, Any] = client.get(f"/api/v1/{jid}/").get_json()
        if answer["status"].startswith("finished"):
            return answer
        time.sleep(0.05)
    raise AssertionError(f"the job did not end: {answer}")


def test_a_job_with_limits_is_refused_where_the_engine_would_drop_them(
    environ: dict[str, str],
) -> None:
    client = create_app(environ).test_client()
    answer = client.post("/api/v1/", json=request("limited"))
    left = client.delete("/api/v1/limited/")
    assert answer.status_code == 400, answer.text
    assert "IGNORE_LIMITS=yes" in answer.text
    assert left.status_code == 404


def test_a_job_runs_once_the_limits_are_given_up(environ: dict[str, str]) -> None:
    client = create_app({**environ, "IGNORE_LIMITS": "yes"}).test_client()
    answer = client.post("/api/v1/", json=request("unlimited"))
    try:
        assert answer.status_code == 201, answer.text
        end = ended(client, "unlimited")
        assert (end["status"], end["logs"]) == ("finishedSuccessfully", "hello\n"), end
        assert Path(environ["STOREBASE"], "out/made").exists()
    finally:
        removed = client.delete("/api/v1/unlimited/")
    assert removed.status_code == 204, removed.text
    assert client.get("/api/v1/unlimited/").status_code == 404


def test_a_user_of_a_container_is_no_user_of_the_host(environ: dict[str, str]) -> None:
    environ |= {"IGNORE_LIMITS": "yes", "CONTAINER_USER": "1001:1001"}
    output = Path(environ["STOREBASE"], "out")
    output.chmod(0o777)
    client = create_app(environ).test_client()
    answer = client.post("/api/v1/", json=request("mapped"))
    try:
        assert answer.status_code == 201, answer.text
        end = ended(client, "mapped")
        assert end["status"] == "finishedSuccessfully", end
        assert (output / "made").stat().st_uid >= 100_000
    finally:
        removed = client.delete("/api/v1/mapped/")
    assert removed.status_code == 204, removed.text
