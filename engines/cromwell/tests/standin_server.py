"""Servers of the stand-in for tests, and a client as plain as can be."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

HERE = Path(__file__).parent
SERVER = HERE.parent / "server"

ENDS = ("Aborted", "Failed", "Succeeded")

#: One task whose command is an input.
WDL = """version 1.0
workflow Hello {
  input { String line  String greeting = "hi"  Int memory = 50 }
  call say { input: line = line, greeting = greeting, memory = memory }
}
task say {
  input { String line  String greeting  Int memory }
  command <<<
    ~{line}
  >>>
  runtime { greeting: greeting  memory: "~{memory} MB"  colour: "blue" }
}
"""


def python() -> str | None:
    """The environment that ``engines/up cromwell`` made."""
    return os.environ.get("PMAN_CROMWELL_PYTHON")


@dataclass(frozen=True)
class Answer:
    """Of the server."""

    code: int
    text: str
    server: str

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)


@dataclass
class Server:
    """One that runs, or has been killed."""

    state: Path
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    url: str = ""

    def start(self) -> None:
        """Start it, for the first time or again."""
        told = self.state / "url"
        told.unlink(missing_ok=True)
        with (self.state / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        until(lambda: told.exists() or self._ended())
        self.url = told.read_text()

    def _ended(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError((self.state / "log").read_text())
        return False

    def kill(self) -> None:
        """As a power failure does it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.state / "log").read_text()

    def ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json"
    ) -> Answer:
        """One request; ``path`` follows ``/api/workflows/v1`` unless it is a whole one."""
        whole = path if path.startswith(("/api", "/engine")) else "/api/workflows/v1" + path
        request = urllib.request.Request(  # noqa: S310
            self.url + whole, data=body, method=method, headers={"Content-Type": kind}
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return Answer(answer.status, answer.read().decode(), answer.headers["Server"])
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode(), error.headers["Server"])

    def get(self, path: str) -> Answer:
        """A GET."""
        return self.ask("GET", path)

    def query(self, *pairs: tuple[str, str]) -> Answer:
        """GET /query."""
        return self.get("/query?" + urlencode(pairs))

    def send(self, form: Mapping[str, str], path: str = "") -> Answer:
        """A form."""
        boundary = uuid.uuid4().hex
        parts = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in form.items()
        )
        body = f"{parts}--{boundary}--\r\n".encode()
        return self.ask("POST", path, body, f"multipart/form-data; boundary={boundary}")

    def submit(self, command: str = "true", **form: str) -> str:
        """A workflow that runs a command; returns its id."""
        inputs = json.dumps({"Hello.line": command})
        answer = self.send({"workflowSource": WDL, "workflowInputs": inputs, **form})
        assert answer.code == 201, answer
        identity: str = answer.json["id"]
        return identity

    def status(self, workflow: str) -> str:
        """Its status, or the code of the refusal."""
        answer = self.get(f"/{workflow}/status")
        return str(answer.json["status"]) if answer.code == 200 else str(answer.code)

    def metadata(self, workflow: str, query: str = "") -> Any:
        """Its metadata."""
        answer = self.get(f"/{workflow}/metadata{query}")
        assert answer.code == 200, answer
        return answer.json

    def reaches(self, workflow: str, *states: str) -> Any:
        """Wait for a status; the metadata then."""

        def there() -> bool:
            status = self.status(workflow)
            if status in ENDS and status not in states:
                raise AssertionError(self.get(f"/{workflow}/metadata"))
            return status in states

        until(there)
        return self.metadata(workflow)

    def folder(self, workflow: str) -> Path:
        """Where its command runs."""
        return self.state / "root" / "Hello" / workflow / "call-say" / "execution"


class Serve(Protocol):
    """Starts a server."""

    def __call__(self, config: str, *options: str) -> Server:
        """With a configuration file of this folder; without options in a hurry."""


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it does not come about")
        time.sleep(0.02)


@contextlib.contextmanager
def serving(state: Path, config: str, *options: str) -> Iterator[Server]:
    """A server that ends with the block, and its jobs with it."""
    command = [str(SERVER), str(python()), "--config", str(HERE / config), "--state", str(state)]
    command += ["--root", str(state / "root"), *(options or ("--times", "fast"))]
    server = Server(state, command)
    try:
        server.start()
        yield server
        for one in server.query(("status", "Running"), ("status", "Submitted")).json["results"]:
            server.ask("POST", f"/{one['id']}/abort")
            server.reaches(one["id"], "Aborted", "Failed", "Succeeded")
    finally:
        server.kill()
