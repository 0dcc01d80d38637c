"""pfcon, as far as pman sees it: its folders, its requests, and a pman that it talks to."""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

#: Has the plugin simpledsapp, which copies each file of its input under a prefixed name.
IMAGE = os.environ.get("PMAN_TEST_CHRIS_IMAGE", "localhost/pman-chris:1")

#: Whom jobs run as; only root can give a folder to somebody else.
USER = 1001 if os.getuid() == 0 else os.getuid()

#: pfcon waits so long for each answer.
PFCON_TIMEOUT_S = 100

#: What the plugin prints, and the files that it leaves, of what ``folders`` has put there.
SAID = "Creating new file... /share/outgoing/le-a scan.txt"
RESULTS = {"le-a scan.txt": "bones\n", "série/le-β.txt": "ß\n"}


def folders(key: Path) -> tuple[Path, Path]:
    """The two folders as pfcon makes them, with something in the first."""
    incoming, outgoing = key / "incoming", key / "outgoing"
    for folder in (incoming, outgoing):
        folder.mkdir(parents=True)
    outgoing.chmod(0o755)
    if os.getuid() == 0:
        os.chown(outgoing, USER, USER)
    (incoming / "a scan.txt").write_text("bones\n")
    (incoming / "série").mkdir()
    (incoming / "série/β.txt").write_text("ß\n")
    return incoming, outgoing


def results(outgoing: Path) -> dict[str, str]:
    """The files that a job has left."""
    return {
        str(path.relative_to(outgoing)): path.read_text()
        for path in outgoing.rglob("*")
        if path.is_file()
    }


def assert_succeeded(end: Mapping[str, Any], outgoing: Path) -> None:
    """The job's end is reported, and its results are there and are its user's."""
    assert end["status"] == "finishedSuccessfully", end
    assert end["image"] == IMAGE
    assert end["cmd"] == "simpledsapp.py --prefix le- /share/incoming /share/outgoing"
    assert SAID in end["logs"]
    assert results(outgoing) == RESULTS
    assert {path.stat().st_uid for path in outgoing.rglob("*")} == {USER}


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
def served(environ: Mapping[str, str], log: Path) -> Iterator[str]:
    """A pman on a free port that logs all that it ever logs; its URL."""
    user = f"{USER}:{USER if os.getuid() == 0 else os.getgid()}"
    whole = {"CONTAINER_USER": user, "APPLICATION_MODE": "development", **environ}
    with (
        log.open("wb") as file,
        subprocess.Popen(
            ["pman", "serve", "--port", "0"],
            env={**os.environ, **whole},
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
    """The answer that reports the job's end; every answer before it is a 200 as well."""
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
