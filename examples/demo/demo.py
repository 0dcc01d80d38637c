"""Runs one real job from end to end, and shows each step.

Starts ``pman serve`` on a free port, submits a job over HTTP (this repository's own docs are
its input), watches it, shows its logs and its result files, removes it, and stops the server.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import requests

HERE = Path(__file__).parent
DOCS = HERE.parent.parent / "docs"
PLUGIN = HERE / "textstats.py"
JID = "demo-1"
PATIENCE_S = 60

#: What pman must know of each backend besides the storebase.
SETTINGS: dict[str, dict[str, str | None]] = {
    # A local process cannot be held to a share of a CPU, so pman is told to leave that limit out.
    "process": {"IGNORE_LIMITS": "cpu"},
    "docker": {},
    # The variable in which engines/up tells where Podman listens.
    "podman": {"DOCKER_HOST": os.environ.get("PMAN_PODMAN_HOST")},
}

#: An image with python3, which is all that the plugin needs.
IMAGE = os.environ.get("PMAN_TEST_IMAGE", "localhost/pman-test:1")

#: A published plugin is in its image. This one is in none, so a container gets its source as an
#: argument; a local process finds the file.
SOURCE = PLUGIN.read_text()


def main() -> None:
    """Run the demo; any failure ends it with an error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=sorted(SETTINGS), default="process")
    backend = parser.parse_args().backend
    with tempfile.TemporaryDirectory(prefix="pman-demo-") as folder:
        storebase = Path(folder) / "storebase"
        shutil.copytree(DOCS, storebase / "demo/in")
        (storebase / "demo/out").mkdir()
        environ = {
            **os.environ,
            **{name: value for name, value in SETTINGS[backend].items() if value},
            "CONTAINER_ENV": backend,
            "STORAGE_TYPE": "host",
            "STOREBASE": str(storebase),
            # Nobody else's jobs in the engine are this demo's, and its job is nobody else's.
            "INSTANCE": f"demo-{os.getpid()}",
            "PROCESS_STATE_DIR": str(Path(folder) / "state"),
            # A site waits longer for an image that cannot be had now.
            "START_DEADLINE": "30",
        }
        with server(environ) as url:
            try:
                run_job(url, *image_and_program(backend), storebase / "demo/out")
            except DemoError as error:
                if backend != "process":
                    say(f'This needs the engine and {IMAGE}: eval "$(engines/up {backend})"')
                sys.exit(f"the demo failed: {error}")


class DemoError(Exception):
    """Something went otherwise than it should."""


@contextlib.contextmanager
def server(environ: dict[str, str]) -> Iterator[str]:
    """A pman on a free port, and its URL."""
    command = ["pman", "serve", "--port", "0"]
    say("starting: pman serve --port 0", f"with CONTAINER_ENV={environ['CONTAINER_ENV']}")
    # Its output is read only until it tells its address; later lines go to the terminal.
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or ():
                say(line.rstrip())
                if found := re.search(r"http://\S+/api/v1/", line):
                    yield found[0]
                    break
            else:
                sys.exit("pman did not start")
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
            say("stopped the server")


def image_and_program(backend: str) -> tuple[str, list[str]]:
    """What the job runs, and in which image."""
    if backend == "process":
        return "local", ["python3", str(PLUGIN)]
    return IMAGE, ["python3", "-c", SOURCE]


def run_job(url: str, image: str, program: list[str], output: Path) -> None:
    """Submit, watch, show and remove the job."""
    request = {
        "jid": JID,
        "image": image,
        "entrypoint": program,
        "args": ["--pattern", "*.md", "--top", "3"],
        "type": "ds",
        "auid": "demo",
        "number_of_workers": 1,
        "cpu_limit": 1000,
        "memory_limit": 512,
        "gpu_limit": 0,
        "input_dir": "demo/in",
        "output_dir": "demo/out",
    }
    say(f"POST {url}", readable(request))
    answer = checked(requests.post(url, json=request, timeout=30), 201)
    try:
        say("  answer:", readable(answer))
        watch(url, output)
    finally:
        removed = requests.delete(f"{url}{JID}/", timeout=30)
    checked(removed, 204)
    say(f"DELETE {url}{JID}/", "204: the job is removed")
    checked(requests.get(f"{url}{JID}/", timeout=30), 404)


def watch(url: str, output: Path) -> None:
    """Wait for the job's end, and show its logs and results."""
    status, deadline = "", time.monotonic() + PATIENCE_S
    while not status.startswith("finished"):
        if time.monotonic() > deadline:
            raise DemoError("the job did not end")
        answer = checked(requests.get(f"{url}{JID}/", timeout=30), 200)
        if answer["status"] != status:
            status = answer["status"]
            say(f"GET {url}{JID}/", f"{status}: {answer['message']}")
        time.sleep(0.05)
    say("the job's logs:")
    say(*answer["logs"].splitlines(), indent="    ")
    if status != "finishedSuccessfully":
        raise DemoError("the job failed")
    for path in sorted(output.iterdir()):
        say(f"result file {path.name}:")
        say(*path.read_text().splitlines()[:6], indent="    ")


def checked(answer: requests.Response, code: int) -> dict[str, str]:
    """The JSON of an answer that must have this code."""
    if answer.status_code != code:
        raise DemoError(f"expected {code}, got {answer.status_code}: {answer.text}")
    body: dict[str, str] = answer.json() if answer.content else {}
    return body


def readable(message: Mapping[str, object]) -> str:
    """JSON for the terminal; a plugin's source would fill it."""
    return json.dumps(message).replace(json.dumps(SOURCE)[1:-1], f"<source of {PLUGIN.name}>")


def say(*lines: str, indent: str = "") -> None:
    """Print lines at once."""
    for line in lines:
        sys.stdout.write(f"{indent}{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
