"""What the tests of the service share: a pman on the memory backend, and requests to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, TypeVar

import attrs
from flask import Flask
from werkzeug.test import TestResponse

from pman_core._internal.registry import Offer
from pman_core._internal.startup import Pman, compose
from pman_core.app import app_for
from pman_core.contract.job import Job
from pman_core.kit.names import native_name
from pman_core.testing import MemoryBackend, MemoryEngine
from pman_core.testing.memory_engine import MemoryMachine

T = TypeVar("T")

URL = "/api/v1/"


def offer(name: str, distribution: str = "") -> Offer:
    """An entry point as the registry would have found it."""
    point = EntryPoint(name, "nowhere:nothing", "pman.backends")
    return Offer(name, point, distribution or f"pman-{name}", "1.0")


def body(**changes: Any) -> dict[str, Any]:
    """A request as pfcon sends it, with all its keys in its order."""
    wanted = {
        "args": ["--say", "hello"],
        "args_path_flags": [],
        "auid": "cube",
        "number_of_workers": 1,
        "cpu_limit": 1000,
        "memory_limit": 200,
        "gpu_limit": 0,
        "image": "local",
        "entrypoint": ["python3", "/app.py"],
        "type": "fs",
        "env": [],
        "input_dir": "in",
        "output_dir": "out",
        "jid": "chris-jid-1",
    }
    return {**wanted, **changes}


def without(name: str) -> dict[str, Any]:
    """The same, less one field."""
    return {key: value for key, value in body().items() if key != name}


@attrs.define
class Service:
    """One pman, its application and its engine."""

    pman: Pman
    app: Flask
    engine: MemoryEngine

    def post(self, wanted: Any = None, query: str = "", **how: Any) -> TestResponse:
        """Submit; by default a whole good request."""
        if "data" not in how:
            how["json"] = body() if wanted is None else wanted
        return self.app.test_client().post(URL + query, **how)

    def get(self, path: str = "", **how: Any) -> TestResponse:
        return self.app.test_client().get(URL + path, **how)

    def cancel(self, jid: str, query: str = "") -> TestResponse:
        return self.app.test_client().post(f"{URL}{jid}/cancel/{query}")

    def delete(self, path: str, **how: Any) -> TestResponse:
        return self.app.test_client().delete(URL + path, **how)

    def job(self, jid: str = "chris-jid-1") -> Job:
        """The job as the engine got it."""
        record = self.engine.records[native_name(jid)]
        assert record is not None
        return record.job

    def ended(self, jid: str) -> Any:
        """The answer about a job, once it has ended."""

        def look() -> Any:
            return self.get(f"{jid}/").json

        return until(look, lambda seen: "finished" in seen["status"])


def until(look: Callable[[], T], enough: Callable[[T], bool]) -> T:
    """Look again and again until it is enough."""
    deadline = time.monotonic() + 20
    while not enough(seen := look()):
        assert time.monotonic() < deadline, f"waited in vain; last seen: {seen!r:.500}"
        time.sleep(0.005)
    return seen


def succeed(machine: MemoryMachine, argv: list[str]) -> int:
    return 0


def fail(machine: MemoryMachine, argv: list[str]) -> int:
    return 3


def hold(machine: MemoryMachine, argv: list[str]) -> int:
    while True:
        machine.pause()


def babble(machine: MemoryMachine, argv: list[str]) -> int:
    machine.emit(1, b"good\n\xff\xfe\0 \xe2\x82\nend\n")
    return 0


def memory_engine() -> MemoryEngine:
    """An engine with one image for each thing that a job may do."""
    return MemoryEngine({"local": succeed, "fail": fail, "hold": hold, "babble": babble})


def serve(
    storebase: Path,
    plugin: object = None,
    extensions: tuple[object, ...] = (),
    engine: MemoryEngine | None = None,
    **settings: str,
) -> Service:
    """A service on the memory backend, or on ``plugin``."""
    engine = engine or memory_engine()
    environ = {"STORAGE_TYPE": "host", "STOREBASE": str(storebase), **settings}
    plugin = plugin or MemoryBackend(environ, engine)
    offers = tuple(offer(f"extension{i}") for i in range(len(extensions)))
    pman = compose(environ, offer("memory"), plugin, tuple(zip(offers, extensions, strict=True)))
    return Service(pman, app_for(pman), engine)
