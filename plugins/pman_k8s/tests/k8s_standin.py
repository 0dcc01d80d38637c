"""An HTTP server that answers as an API server does in moments that a real one seldom has.

Its clock stands still, a few seconds after what happens in ``k8s_objects``.
"""

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs
from k8s_jobs import BASE

from pman_core import JobFilter
from pman_k8s.backend import KubernetesBackend

NOW = "Sat, 21 Nov 2026 01:00:15 GMT"

#: The two ways to look at a job.
LOOKS: list[Callable[[KubernetesBackend], Any]] = [
    lambda pman: pman.pman_status(BASE.jid),
    lambda pman: pman.pman_list(JobFilter(), 10, None).jobs[0],
]

Answer = tuple[int, dict[str, Any] | str, dict[str, str]]


@attrs.frozen
class Request:
    """What was asked."""

    method: str
    path: str
    body: dict[str, Any]
    authorization: str = ""


@attrs.frozen
class Standin:
    """A server whose answers a test decides.

    :param config: a kubeconfig that leads to it.
    """

    config: Path
    address: str
    asked: list[Request]

    def environ(self, **more: str) -> dict[str, str]:
        return {"KUBECONFIG": str(self.config), "ENGINE_TIMEOUT": "3", **more}


def said(code: int, content: dict[str, Any] | str = "", **headers: str) -> Answer:
    """An answer; of an error, the words of its Status will do."""
    if code >= 400 and isinstance(content, str) and not content.startswith("<"):
        content = {"kind": "Status", "message": content, "code": code}
    if code < 400 and isinstance(content, dict):
        content = {"kind": "Any", **content}
    return code, content, {name.replace("_", "-"): value for name, value in headers.items()}


@contextlib.contextmanager
def standin(
    folder: Path,
    answer: Callable[[Request], Answer],
    *,
    tls: ssl.SSLContext | None = None,
    user: Mapping[str, Any] | None = None,
    cluster: Mapping[str, Any] | None = None,
) -> Iterator[Standin]:
    """A server, until the test ends.

    :param tls: how it speaks TLS; without, it speaks plain HTTP.
    :param user: the user in the kubeconfig.
    :param cluster: what the kubeconfig knows of the cluster, besides the address.
    """
    asked: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            path, given = self.path.partition("?")[0], self.headers.get("Authorization", "")
            request = Request(self.command, path, body, given)
            asked.append(request)
            code, content, headers = answer(request)
            data = content if isinstance(content, str) else json.dumps(content)
            self.send_response(code)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data.encode())

        do_GET = do_POST = do_PATCH = do_DELETE = handle_one

        def date_time_string(self, timestamp: float | None = None) -> str:
            return NOW

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    config = folder / "standin.json"
    address = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    known = {"server": address, **(cluster or {})}
    config.write_text(
        json.dumps(
            {
                "current-context": "c",
                "clusters": [{"name": "c", "cluster": known}],
                "users": [{"name": "u", "user": user or {"token": "t"}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    try:
        yield Standin(config, address, asked)
    finally:
        server.shutdown()
        server.server_close()


#: Answers ``ask``.
VERSION = said(200, {"gitVersion": "v1.36.2"})


def yes(request: Request) -> Answer:
    return VERSION


def ask(pman: KubernetesBackend) -> str:
    """The server's version: one request."""
    return pman._cluster.version()
