"""HTTP in, the API's functions out."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from cromwell_standin import VERSION, multipart
from cromwell_standin.api import Answer, Api
from cromwell_standin.errors import ApiError

_log = logging.getLogger(__name__)

_WORKFLOWS = r"/api/workflows/[^/]+"
_ONE = _WORKFLOWS + r"/(?P<id>[^/]+)"


class Request:
    """What a route gets."""

    def __init__(self, api: Api, identity: str, query: str, content_type: str, body: bytes) -> None:
        self.api = api
        self.id = unquote(identity)
        self.query = query
        self._content_type = content_type
        self._body = body

    def form(self) -> dict[str, bytes]:
        """The body as a form."""
        try:
            return multipart.parts(self._content_type, self._body)
        except ValueError as error:
            raise ApiError(415, str(error)) from error

    def json(self) -> object:
        """The body as JSON."""
        try:
            value: object = json.loads(self._body)
        except ValueError as error:
            raise ApiError(400, f"The request content was malformed:\n{error}") from error
        return value

    def pairs(self) -> list[tuple[str, str]]:
        """The parameters in the address."""
        return parse_qsl(self.query, keep_blank_values=True)

    def keys(self) -> tuple[list[str], list[str]]:
        """What of the metadata is asked for, and what is not."""
        pairs = self.pairs()
        include = [value for key, value in pairs if key == "includeKey"]
        return include, [value for key, value in pairs if key == "excludeKey"]

    def maps(self) -> list[tuple[str, str]]:
        """The body of a query: a list of maps."""
        body = self.json()
        if not isinstance(body, list) or not all(isinstance(one, dict) for one in body):
            raise ApiError(400, "The request content was malformed:\nexpected a list of maps")
        return [(key, str(value)) for one in body for key, value in one.items()]


def _missing(_: Request) -> Answer:
    raise ApiError(501, "this stand-in does not have that part of Cromwell's API")


def _stats(_: Request) -> Answer:
    raise ApiError(403, "The /stats endpoint is currently disabled.")


_Route = tuple[str, str, int, Callable[[Request], Answer]]
_ROUTES: list[_Route] = [
    ("POST", _WORKFLOWS, 201, lambda r: r.api.submit(r.form(), batch=False)),
    ("POST", _WORKFLOWS + "/batch", 201, lambda r: r.api.submit(r.form(), batch=True)),
    ("GET", _WORKFLOWS + "/query", 200, lambda r: r.api.query(r.pairs())),
    ("POST", _WORKFLOWS + "/query", 200, lambda r: r.api.query(r.maps())),
    ("GET", _WORKFLOWS + "/backends", 200, lambda r: r.api.backends()),
    ("GET", _ONE + "/status", 200, lambda r: r.api.status(r.id)),
    ("GET", _ONE + "/metadata", 200, lambda r: r.api.metadata(r.id, *r.keys())),
    ("GET", _ONE + "/outputs", 200, lambda r: r.api.outputs(r.id)),
    ("GET", _ONE + "/logs", 200, lambda r: r.api.logs(r.id)),
    ("GET", _ONE + "/labels", 200, lambda r: r.api.labels(r.id)),
    ("PATCH", _ONE + "/labels", 200, lambda r: r.api.patch_labels(r.id, r.json())),
    ("POST", _ONE + "/abort", 200, lambda r: r.api.abort(r.id)),
    ("POST", _ONE + "/releaseHold", 200, lambda r: r.api.release(r.id)),
    ("GET", _ONE + "/(timing|cost|metadata/failed-jobs)", 200, _missing),
    ("GET", "/engine/[^/]+/version", 200, lambda r: r.api.version()),
    ("GET", "/engine/[^/]+/status", 200, lambda r: r.api.health()),
    ("GET", "/engine/[^/]+/stats", 200, _stats),
    ("POST", "/api/womtool/[^/]+/describe", 200, lambda r: r.api.describe(r.form())),
]  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = f"cromwell-{VERSION}"
    sys_version = ""
    # Headers and body leave in one packet, or each answer waits for the client's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            code, answer = self._answer(body)
            text = json.dumps(answer)
        except ApiError as error:
            code, text = error.code, json.dumps(error.body(), indent=2)
        except Exception as error:
            _log.exception("%s %s: a fault of this stand-in", self.command, self.path)
            code, text = 500, json.dumps({"status": "error", "message": str(error)}, indent=2)
        self._send(code, text.encode())

    def _answer(self, body: bytes) -> tuple[int, Answer]:
        url = urlsplit(self.path)
        allowed = []
        for method, pattern, code, act in _ROUTES:
            match = re.fullmatch(pattern, url.path)
            if match is None:
                continue
            if method != self.command:
                allowed.append(method)
                continue
            identity = match.groupdict().get("id", "")
            content_type = self.headers.get("content-type", "")
            return code, act(Request(self.server.api, identity, url.query, content_type, body))
        if allowed:
            raise ApiError(405, f"HTTP method not allowed, supported methods: {', '.join(allowed)}")
        raise ApiError(404, "The requested resource could not be found.")

    def _send(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: object) -> None:
        """Requests are not logged: labels and inputs are in them."""


class Server(ThreadingHTTPServer):
    """Listens on the loopback address alone."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, api: Api) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.api = api

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"
