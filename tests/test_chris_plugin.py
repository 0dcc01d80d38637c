"""A real ChRIS plugin runs as CUBE has it run: pfcon speaks HTTP to a pman of its own process."""

import contextlib
import os
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest
import requests
from engine_subjects import address, real_engine, why_missing

from pman_core.testing.pytest_plugin import Engines

#: Has the plugin simpledsapp, which copies each file of its input under a prefixed name.
IMAGE = os.environ.get("PMAN_TEST_CHRIS_IMAGE", "localhost/pman-chris:1")

#: Whom jobs run as; only root can give a folder to somebody else.
USER = 1001 if os.getuid() == 0 else os.getuid()

#: pfcon waits so long for each answer.
PFCON_TIMEOUT_S = 100


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_a_chris_plugin_runs_as_pfcon_would_have_it_run(
    engine: str, engines: Engines, tmp_path: Path
) -> None:
    engines.need(engine, why_missing(engine) or why_image_missing(engine))
    jid = f"chris-jid-{uuid.uuid4().hex[:8]}"
    token = f"secret-{uuid.uuid4().hex}"
    incoming, outgoing = folders(tmp_path / "storebase" / f"key-{jid}")
    (incoming / "a scan.txt").write_text("bones\n")
    (incoming / "série").mkdir()
    (incoming / "série/β.txt").write_text("ß\n")

    server_log = tmp_path / "server.log"
    with server(engine, tmp_path / "storebase", server_log) as url, removing(url, jid):
        request = pfcon_request(jid, token)
        posted = requests.post(url, json=request, timeout=PFCON_TIMEOUT_S)
        assert posted.status_code == 201, posted.text
        assert posted.json()["jid"] == jid
        # CUBE repeats a submission when it has renewed its own token.
        again = requests.post(url, json=request, timeout=PFCON_TIMEOUT_S)
        assert again.status_code == 201, again.text

        end = polled(f"{url}{jid}/")
        assert end["status"] == "finishedSuccessfully", end
        assert end["image"] == IMAGE
        assert end["cmd"] == "simpledsapp.py --prefix le- /share/incoming /share/outgoing"
        assert "Creating new file... /share/outgoing/le-a scan.txt" in end["logs"]

        results = {
            str(path.relative_to(outgoing)): path.read_text()
            for path in outgoing.rglob("*")
            if path.is_file()
        }
        assert results == {"le-a scan.txt": "bones\n", "série/le-β.txt": "ß\n"}
        assert {path.stat().st_uid for path in outgoing.rglob("*")} == {USER}

        deleted = requests.delete(f"{url}{jid}/", timeout=PFCON_TIMEOUT_S)
        assert deleted.status_code == 204, deleted.text
        gone = requests.get(f"{url}{jid}/", timeout=PFCON_TIMEOUT_S)
        assert gone.status_code == 404

    told = server_log.read_text()
    assert jid in told  # it is the right log
    assert not any(token in text for text in (told, posted.text, again.text, str(end), gone.text))


def why_image_missing(engine: str) -> str | None:
    api: Any = real_engine(engine).api
    try:
        api.inspect_image(IMAGE)
    except docker.errors.ImageNotFound:
        return f"{engine} has no image {IMAGE}; run engines/up {engine}"
    finally:
        api.close()
    return None


def folders(key: Path) -> tuple[Path, Path]:
    """The two folders as pfcon makes them."""
    incoming, outgoing = key / "incoming", key / "outgoing"
    for folder in (incoming, outgoing):
        folder.mkdir(parents=True)
    outgoing.chmod(0o755)
    if os.getuid() == 0:
        os.chown(outgoing, USER, USER)
    return incoming, outgoing


def pfcon_request(jid: str, token: str) -> dict[str, object]:
    """Exactly the keys that pfcon sends, in its order; its limits may be strings."""
    return {
        "args": ["--prefix", "le-"],
        "args_path_flags": [],
        "auid": "cube",
        "number_of_workers": "1",
        "cpu_limit": "1000",
        "memory_limit": "300",
        "gpu_limit": "0",
        "image": IMAGE,
        "entrypoint": ["simpledsapp.py"],
        "type": "ds",
        "env": [f"CHRIS_JID={jid}", "CHRIS_USER_USERNAME=chris", f"CHRIS_USER_TOKEN={token}"],
        "input_dir": f"key-{jid}/incoming",
        "output_dir": f"key-{jid}/outgoing",
        "jid": jid,
    }


@contextlib.contextmanager
def server(engine: str, storebase: Path, log: Path) -> Iterator[str]:
    """A pman on a free port that logs all that it ever logs; its URL."""
    environ = {
        **os.environ,
        "CONTAINER_ENV": engine,
        "DOCKER_HOST": address(engine),
        "STORAGE_TYPE": "host",
        "STOREBASE": str(storebase),
        "CONTAINER_USER": f"{USER}:{USER if os.getuid() == 0 else os.getgid()}",
        "INSTANCE": f"test-{uuid.uuid4().hex[:8]}",
        "APPLICATION_MODE": "development",
    }
    with (
        log.open("wb") as file,
        subprocess.Popen(
            ["pman", "serve", "--port", "0"],
            env=environ,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
        ) as process,
    ):
        try:
            yield address_in(log, process)
        finally:
            process.terminate()


def address_in(log: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"http://\S+/api/v1/", log.read_text()):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"pman did not start: {log.read_text()}")


@contextlib.contextmanager
def removing(url: str, jid: str) -> Iterator[None]:
    """Nothing is left in the engine, however the test ends."""
    try:
        yield
    finally:
        requests.delete(f"{url}{jid}/", timeout=PFCON_TIMEOUT_S)


def polled(url: str) -> dict[str, Any]:
    """The answer that tells of the job's end; every answer before it is a 200 as well."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        answer = requests.get(url, timeout=PFCON_TIMEOUT_S)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        assert told["status"] in ("notstarted", "started") or told["status"].startswith("finished")
        if told["status"].startswith("finished"):
            return told
        time.sleep(0.1)
    raise AssertionError(f"the job did not end: {told}")
