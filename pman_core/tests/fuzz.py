"""Throws generated requests at a real ``pman serve``; ``./nox -s fuzz`` runs it.

The requests come from the OpenAPI document: what it allows, and what it forbids. Each answer must
be one of those described, none a server error, and pman's log must hold no traceback. Jobs are in
the memory of the server, and what they ask for is never run.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import requests
from cli_helpers import install_fake_backends, settings

PMAN = (sys.executable, "-c", "from pman_core.cli import main; main()")

FAULT = "Traceback"

#: Requests for each operation, unless the command line says another number.
EXAMPLES = 500

#: Checks that compare what a request should be with what it was answered.
OF_REQUESTS = "negative_data_rejection,positive_data_acceptance"


def main(examples: int, *options: str) -> int:
    """Serve, ask, and look at the log; 1 if there is a fault."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "log").open("wb") as log, serving(folder, log) as url:
            document = folder / "openapi.json"
            whole = requests.get(f"{url}/openapi.json", timeout=60).json()
            document.write_text(json.dumps(whole))
            failed = ask(url, document, examples, *options, "--exclude-checks", OF_REQUESTS)
            document.write_text(json.dumps(exact(whole)))
            failed |= ask(url, document, examples, *options)
        told = (folder / "log").read_text(errors="replace")
    sys.stdout.write(f"pman's log: {told.count(chr(10))} lines, {told.count(FAULT)} tracebacks\n")
    if FAULT in told:
        sys.stdout.write(told[max(0, told.index(FAULT) - 500) :][:5000])
    return int(failed or FAULT in told)


@contextlib.contextmanager
def serving(folder: Path, log: IO[bytes]) -> Iterator[str]:
    """A server on a free port; its address."""
    environ = {
        **os.environ,
        **settings(folder / "data"),
        "PYTHONPATH": str(install_fake_backends(folder / "dist")),
    }
    command = [*PMAN, "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=log
    ) as server:
        try:
            assert server.stdout
            found = re.search(r"http://\S+?:\d+", server.stdout.readline().decode())
            assert found, f"pman did not start: {(folder / 'log').read_text()}"
            yield found[0]
        finally:
            server.terminate()


def exact(document: Any) -> Any:
    """The document without the parameters of which no schema can say all.

    A field that the body lacks may come in the query string, a cursor must be one that the server
    gave, and one label is not asked for with two values.
    """
    submit = document["paths"]["/api/v1/"]["post"]
    listing = document["paths"]["/api/v1/jobs/"]["get"]
    submit["parameters"] = []
    told = [p for p in listing["parameters"] if p["name"] not in ("cursor", "label")]
    listing["parameters"] = told
    return document


def ask(url: str, document: Path, examples: int, *options: str) -> bool:
    """Run the generator; whether it found a fault."""
    command = ["schemathesis", "run", str(document), "--url", url, "--checks", "all"]
    command += ["--max-examples", str(examples), "--warnings", "off"]
    # How long it takes to make a request says nothing about pman.
    command += ["--suppress-health-check", "all", *options]
    return subprocess.run(command, cwd=document.parent).returncode != 0


if __name__ == "__main__":
    given = sys.argv[1:]
    number = int(given.pop(0)) if given and given[0].isdigit() else EXAMPLES
    sys.exit(main(number, *given))
