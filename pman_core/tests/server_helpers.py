"""What the tests of the server share: servers, in this process and in others, and clients."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from cli_helpers import install_fake_backends, settings
from flask import Flask
from rest_helpers import until
from uvicorn import Config, Server

from pman_core.server.asgi import application
from pman_core.server.protocol import PmanProtocol
from pman_core.server.tls import TlsFiles

POST = b"POST /api/v1/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@contextlib.contextmanager
def serving(
    flask: Flask, engine_timeout_s: float = 20, tls: TlsFiles | None = None
) -> Iterator[tuple[Server, int]]:
    """A server in this process, with one thread for Flask, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as stack:
        server = Server(
            Config(
                application(flask, 1, engine_timeout_s),
                http=PmanProtocol,
                lifespan="off",
                log_config=None,
                timeout_graceful_shutdown=1,
                ssl_context_factory=(lambda *_: tls.context()) if tls else None,
            )
        )
        thread = threading.Thread(target=server.run, args=([listening],))
        port = listening.getsockname()[1]
        thread.start()
        stack.callback(thread.join)
        stack.callback(setattr, server, "should_exit", True)
        until(lambda: server.started, bool)
        yield server, port


def send(port: int, data: bytes) -> socket.socket:
    """A connection on which this has been sent."""
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(data)
    return client


def answer(client: socket.socket) -> tuple[int, dict[str, str]]:
    """The status and the body of what the server answers."""
    with client, http.client.HTTPResponse(client) as answered:
        answered.begin()
        return answered.status, json.loads(answered.read())


Start = Callable[..., subprocess.Popen[str]]


@contextlib.contextmanager
def pman_serves(folder: Path) -> Iterator[Start]:
    """Starts ``pman serve`` as people do."""
    dist = install_fake_backends(folder / "dist")
    variables = {**settings(folder / "data"), "PYTHONPATH": str(dist)}
    began = []

    def begin(*options: str, **more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", "from pman_core.cli import main; main()", "serve"]
        process = subprocess.Popen(
            [*command, "--port", "0", *options],
            env={"PATH": os.environ["PATH"], **variables, **more},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        began.append(process)
        return process

    try:
        yield begin
    finally:
        for process in began:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def port_of(process: subprocess.Popen[str]) -> int:
    """The port that it says it listens on."""
    assert process.stdout
    line = process.stdout.readline()
    assert "/api/v1/" in line, process.communicate()
    return int(line.rpartition(":")[2].partition("/")[0])
