"""Measures what it costs to ask for a job: against an empty Flask route on the same server.

A job that has ended, with 200 lines of log, is on the engine; ``pman serve`` runs with two workers.
16 connections ask as fast as they are answered. The two servers take turns, in several rounds. The
targets are those that the project set itself; nothing here fails when one is missed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import requests

IMAGE = os.environ.get("PMAN_TEST_IMAGE", "localhost/pman-test:1")
WORKERS = 2
CLIENTS, CONNECTIONS = 2, 8
ROUNDS, ROUND_S = 5, 2.0
PATIENCE_S = 60.0


def main() -> None:
    """Measure, and print a table."""
    row("", "asked/s", "empty/s", "ratio", "target")
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (url, jid):
        job, empty = f"/api/v1/{jid}/", "/empty"
        compare(url, "status with 200 lines of log", job, empty, ">= 0.6")
        compare(url, "status with ?logs=no", f"{job}?logs=no", empty, ">= 0.8")
        compare(url, "status with ?fresh=yes", f"{job}?fresh=yes", empty, "")


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[str, str]]:
    """The address of a pman on Docker, and the id of a job there that has ended."""
    for part in ("in", "out", "extension"):
        (folder / part).mkdir()
    install_empty_route(folder / "extension")
    jid = f"bench-{uuid.uuid4().hex[:8]}"
    variables = {
        "CONTAINER_ENV": "docker",
        "STORAGE_TYPE": "host",
        "STOREBASE": str(folder),
        "INSTANCE": jid,
        "AUTH": "none",
        "PYTHONPATH": str(folder / "extension"),
    }
    program = "from pman_core.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--workers", str(WORKERS)]
    process = subprocess.Popen(
        command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
    )
    try:
        if process.stdout is None:
            raise RuntimeError("it has a pipe")
        url = process.stdout.readline().split()[-1].removesuffix("/api/v1/")
        api = f"{url}/api/v1/"
        submit(api, jid)
        yield url, jid
        requests.delete(f"{api}{jid}/", timeout=60)
    finally:
        process.terminate()
        process.wait()


def install_empty_route(folder: Path) -> None:
    """An extension with a route that does nothing."""
    (folder / "empty_route.py").write_text(
        "from flask import Blueprint\n"
        "from pman_core import hookimpl\n"
        "from pman_core.kit.routes import open_to_all\n"
        "class Empty:\n"
        "    @hookimpl\n"
        "    def pman_routes(self, service):\n"
        "        routes = Blueprint('empty', __name__)\n"
        "        @routes.get('/empty')\n"
        "        @open_to_all\n"
        "        def empty():\n"
        "            return {}\n"
        "        return routes\n"
        "def make(environ):\n"
        "    return Empty()\n"
    )
    info = folder / "empty_route-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: empty-route\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pman.extensions]\nempty = empty_route:make\n")


def submit(api: str, jid: str) -> None:
    """Run a job that writes 200 lines, and wait for its end."""
    wanted: dict[str, Any] = {
        "jid": jid,
        "image": IMAGE,
        "entrypoint": ["python3", "-c", "for i in range(200): print('line', i, 'x' * 60)"],
        "args": [],
        "args_path_flags": [],
        "auid": "bench",
        "number_of_workers": 1,
        "cpu_limit": 1000,
        "memory_limit": 200,
        "gpu_limit": 0,
        "type": "fs",
        "env": [],
        "input_dir": "in",
        "output_dir": "out",
    }
    requests.post(api, json=wanted, timeout=60).raise_for_status()
    deadline = time.monotonic() + PATIENCE_S
    while "finished" not in requests.get(f"{api}{jid}/", timeout=60).json()["status"]:
        if time.monotonic() > deadline:
            raise TimeoutError("the job does not end")
        time.sleep(0.1)
    time.sleep(2)  # the feed knows it in each process


def compare(url: str, what: str, path: str, empty: str, target: str) -> None:
    """Ask for both in turns; the median of the ratios of the rounds counts."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(per_second(url, path))
        theirs.append(per_second(url, empty))
    ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    row(what, f"{max(ours):,.0f}", f"{max(theirs):,.0f}", f"{ratio:.2f}", target)


def per_second(url: str, path: str) -> float:
    """How many answers come in a second."""
    host, port = url.removeprefix("http://").rsplit(":", 1)
    with multiprocessing.get_context("fork").Pool(CLIENTS) as pool:
        return sum(pool.starmap(ask, [(host, int(port), path)] * CLIENTS)) / ROUND_S


@attrs.define
class _Answer:
    """What has come of an answer."""

    data: bytearray = attrs.field(factory=bytearray)

    def is_whole(self) -> bool:
        head, found, body = bytes(self.data).partition(b"\r\n\r\n")
        if not found:
            return False
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server answered {head[:200]!r}")
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        return len(body) >= length


def ask(host: str, port: int, path: str) -> int:
    """How many answers come on some connections, each of which asks again when it is answered."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    count, ends = 0, time.monotonic() + ROUND_S
    clients: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            client = stack.enter_context(socket.create_connection((host, port), timeout=20))
            client.sendall(request)
            clients[client.fileno()] = client
            selector.register(client, selectors.EVENT_READ, _Answer())
        while time.monotonic() < ends:
            for key, _ in selector.select(1):
                client, answer = clients[key.fd], key.data
                answer.data += client.recv(1 << 20)
                if answer.is_whole():
                    count += 1
                    answer.data.clear()
                    client.sendall(request)
    return count


def row(*cells: str) -> None:
    """Print one line of the table."""
    sys.stdout.write("{:34}{:>12}{:>12}{:>8}  {}\n".format(*cells))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
