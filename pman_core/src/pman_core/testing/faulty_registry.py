"""An image registry that misbehaves in one way, for tests of pulls.

Real engines pull from it. It speaks the OCI Distribution Specification 1.1 over plain HTTP, so
its host must be one that the engine takes for insecure: ``localhost`` is for Docker.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: The ways to misbehave, each with the name of its row in :mod:`pman_core.kit.causes`.
FAULTS: Mapping[str, str] = {
    "no-manifest": "no-such-image",
    "no-repository": "no-such-image",
    "login-wanted": "access-denied",
    "access-denied": "access-denied",
    "other-platform": "platform",
    "too-many-requests": "too-many-requests",
    "page-of-a-portal": "no-registry-answer",
    "page-of-a-proxy": "no-registry-answer",
    "internal-error": "registry-error",
    "bad-gateway": "registry-error",
    "overloaded": "registry-error",
    "hangs-up": "registry-not-reached",
    "damaged-image": "image-damaged",
}

_PAGE = b"<html><head><title>Notice</title></head><body><h1>Notice</h1>Access log</body></html>"
_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_JSON = "application/json"

#: Status, content type, body.
_Answer = tuple[int, str, bytes]


def _error(status: int, code: str, message: str) -> _Answer:
    return status, _JSON, json.dumps({"errors": [{"code": code, "message": message}]}).encode()


#: What a fault answers to everything but the first look at ``/v2/``.
_ERRORS: Mapping[str, _Answer] = {
    "no-manifest": _error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
    "no-repository": _error(404, "NAME_UNKNOWN", "repository name not known to registry"),
    "login-wanted": _error(401, "UNAUTHORIZED", "authentication required"),
    "access-denied": _error(403, "DENIED", "requested access to the resource is denied"),
    "too-many-requests": _error(429, "TOOMANYREQUESTS", "You have reached your pull rate limit"),
    "page-of-a-portal": (200, "text/html", _PAGE),
    "page-of-a-proxy": (403, "text/html", _PAGE),
    "internal-error": _error(500, "UNKNOWN", "unknown error"),
    "bad-gateway": (502, "text/html", b"502 Bad Gateway"),
    "overloaded": (503, "text/plain", b"Service Unavailable"),
}


class _Registry(BaseHTTPRequestHandler):
    fault = ""

    def do_GET(self) -> None:  # the name is http.server's
        if self.fault == "hangs-up":
            self.close_connection = True
            return
        status, kind, body = self._answer()
        self.send_response(status)
        if self.fault == "login-wanted":
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
        self.send_header("Docker-Distribution-API-Version", "registry/2.0")
        if "manifest" in kind:
            self.send_header("Docker-Content-Digest", _digest(body))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> _Answer:
        is_first = self.path.rstrip("/") == "/v2"
        if self.fault in _ERRORS and not (is_first and self.fault != "login-wanted"):
            return _ERRORS[self.fault]
        if is_first:
            return 200, _JSON, b"{}"
        if "/manifests/" in self.path:
            return _foreign_list() if self.fault == "other-platform" else _damaged_manifest()
        return 200, "application/octet-stream", b"not what the digest says"


def _foreign_list() -> _Answer:
    """An image for a platform that no test runs on."""
    _, kind, body = _damaged_manifest()
    entry = {
        "mediaType": kind,
        "size": len(body),
        "digest": _digest(body),
        "platform": {"architecture": "mips64le", "os": "plan9"},
    }
    content = {"schemaVersion": 2, "mediaType": _LIST, "manifests": [entry]}
    return 200, _LIST, json.dumps(content).encode()


def _damaged_manifest() -> _Answer:
    """A manifest of a configuration and a layer whose bytes are not what it promises."""
    size = len(b"not what the digest says")
    config = {"mediaType": _CONFIG, "size": size, "digest": _digest(b"a configuration")}
    layer = {"mediaType": _LAYER, "size": size, "digest": _digest(b"a layer")}
    content = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": [layer]}
    return 200, _MANIFEST, json.dumps(content).encode()


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def faulty_images(
    host: str = "localhost", address: str = "127.0.0.1"
) -> Callable[[str], AbstractContextManager[str]]:
    """What ``Subject.faulty_image`` takes, for an engine that reaches this machine.

    :param host: the name by which the engine reaches ``address``.
    :param address: where the registry listens.
    """

    @contextlib.contextmanager
    def faulty_image(fault: str) -> Iterator[str]:
        handler = type("Handler", (_Registry,), {"fault": fault})
        with ThreadingHTTPServer((address, 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            try:
                yield f"{host}:{server.server_port}/pman-test-{uuid.uuid4().hex[:8]}:1"
            finally:
                server.shutdown()

    return faulty_image
