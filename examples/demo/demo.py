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
from collections.abc import Iterator
from pathlib import Path

import requests

HERE = Path(__file__).parent
DOCS = HERE.parent.parent / "docs"
PLUGIN = HERE / "textstats.py"
JID = "demo-1"
PATIENCE_S = 60

#: What each backend needs to know: its settings, and how its jobs find the plugin.
SETTINGS = {
    # A local process cannot be held to a share of a CPU, so pman is told to leave that limit out.
    "process": {"IGNORE_LIMITS": "cpu", "STORAGE_TYPE": "host"},
}


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
            **SETTINGS[backend],
            "CONTAINER_ENV": backend,
            "STOREBASE": str(storebase),
            "PROCESS_STATE_DIR": str(Path(folder) / "state"),
        }
        with server(environ) as url:
            run_job(url, storebase / "demo/out")


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


def run_job(url: str, output: Path) -> None:
    """Submit, watch, show and remove the job."""
    request = {
        "jid": JID,
        "image": "local",
        "entrypoint": ["python3", str(PLUGIN)],
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
    say(f"POST {url}", json.dumps(request))
    answer = checked(requests.post(url, json=request, timeout=30), 201)
    say("  answer:", json.dumps(answer))

    status, deadline = "", time.monotonic() + PATIENCE_S
    while not status.startswith("finished"):
        if time.monotonic() > deadline:
            sys.exit("the job did not end")
        answer = checked(requests.get(f"{url}{JID}/", timeout=30), 200)
        if answer["status"] != status:
            status = answer["status"]
            say(f"GET {url}{JID}/", f"{status}: {answer['message']}")
        time.sleep(0.05)
    say("the job's logs:")
    say(*answer["logs"].splitlines(), indent="    ")
    if status != "finishedSuccessfully":
        sys.exit("the job failed")
    for path in sorted(output.iterdir()):
        say(f"result file {path.name}:")
        say(*path.read_text().splitlines()[:6], indent="    ")

    checked(requests.delete(f"{url}{JID}/", timeout=30), 204)
    say(f"DELETE {url}{JID}/", "204: the job is removed")
    checked(requests.get(f"{url}{JID}/", timeout=30), 404)


def checked(answer: requests.Response, code: int) -> dict[str, str]:
    """The JSON of an answer that must have this code."""
    if answer.status_code != code:
        sys.exit(f"expected {code}, got {answer.status_code}: {answer.text}")
    body: dict[str, str] = answer.json() if answer.content else {}
    return body


def say(*lines: str, indent: str = "") -> None:
    """Print lines at once."""
    for line in lines:
        sys.stdout.write(f"{indent}{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
