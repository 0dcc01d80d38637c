"""Measures the core, and prints what it costs against what it stands on.

The targets are those that the project set itself; nothing here fails when one is missed.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path

from flask import Flask

from pman_core._internal.registry import BACKENDS, Offer
from pman_core._internal.startup import compose
from pman_core.app import app_for
from pman_core.server.asgi import Application, application
from pman_core.testing import MemoryBackend, MemoryEngine
from pman_core.testing.memory_engine import MemoryMachine

HERE = Path(__file__).parent

#: Measures, in a process of its own, what a statement costs: milliseconds and MiB.
_COST = """
import time, resource, json
begin = time.perf_counter()
{}
milliseconds = (time.perf_counter() - begin) * 1000
cost = milliseconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(cost))
"""

_CREATE = """
from pman_core.app import create_app
create_app({{"CONTAINER_ENV": "process", "STOREBASE": {0!r}, "PROCESS_STATE_DIR": {0!r}}})
"""


def main() -> None:
    """Measure, and print a table."""
    row("", "measured", "against", "ratio", "target")
    import_and_create()
    requests_per_second()
    many_jobs()


def import_and_create() -> None:
    """Importing and creating the app with the process backend, against ``import flask``."""
    with tempfile.TemporaryDirectory() as folder:
        create = _CREATE.format(folder)
        pairs = [(_cost(create), _cost("import flask")) for _ in range(9)]
    for index, (what, unit, target) in enumerate(
        [("create the app, time", "ms", 1.6), ("create the app, memory", "MiB", 1.4)]
    ):
        ours, flask = (min(pair[side][index] for pair in pairs) for side in (0, 1))
        row(
            what, f"{ours:.0f} {unit}", f"{flask:.0f} {unit}", f"{ours / flask:.2f}", f"<= {target}"
        )


#: Serves ``bench_app``: pman's own server, and gunicorn's gthread, which pman had before.
_SERVERS = {
    "uvicorn": [
        "uvicorn", "--factory", "core:bench_asgi", "--app-dir", str(HERE),
        "--http", "pman_core.server.protocol:PmanProtocol", "--lifespan", "off", "--no-access-log",
    ],
    "gthread": [
        "gunicorn", "--chdir", str(HERE), "--threads", "8", "--worker-class", "gthread",
        "--no-control-socket", "core:bench_app()",
    ],
}  # fmt: skip


def requests_per_second() -> None:
    """A status against an empty Flask route, each on pman's server and on gunicorn's gthread.

    One process and one client: what a request costs, not how many there may be at once.
    """
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(_served(name)) for name in _SERVERS}
        rounds = [
            {
                (name, path): _rate(port, path)
                for name, port in ports.items()
                for path in ("/api/v1/bench/", "/empty/")
            }
            for _ in range(7)
        ]
    rate = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    status, empty = (("uvicorn", path) for path in ("/api/v1/bench/", "/empty/"))
    old_status, old_empty = (("gthread", path) for path in ("/api/v1/bench/", "/empty/"))
    _compare("status / empty route", rate[status], rate[empty], ">= 0.6")
    _compare("status / on gthread", rate[status], rate[old_status], "")
    _compare("empty route / on gthread", rate[empty], rate[old_empty], "")
    _compare("gthread: status / empty", rate[old_status], rate[old_empty], "")


def _compare(what: str, ours: float, other: float, target: str) -> None:
    row(what, f"{ours:.0f} /s", f"{other:.0f} /s", f"{ours / other:.2f}", target)


@contextlib.contextmanager
def _served(name: str) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    bind = ["--bind", f"127.0.0.1:{port}"] if name == "gthread" else ["--port", str(port)]
    with subprocess.Popen(
        [*_SERVERS[name], *bind], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            _get(_connected(port), "/api/v1/bench/", 200)
            yield port
        finally:
            server.terminate()


def many_jobs() -> None:
    """The status of a job among 10,000, against one among 10."""
    costs = []
    for count in (10_000, 10):
        with tempfile.TemporaryDirectory() as folder:
            ask = partial(
                _memory_app(folder, count).test_client().get, f"/api/v1/job-{count // 2}/"
            )
            costs.append(min(_seconds(ask, 200) for _ in range(7)))
    many, few = (f"{cost / 200 * 1e6:.0f} us" for cost in costs)
    row("status among 10,000 jobs", many, few, f"{costs[0] / costs[1]:.2f}", "~ 1")


def bench_asgi() -> Application:
    """The same behind pman's own server."""
    return application(bench_app(), threads=8, engine_timeout_s=20)


def bench_app() -> Flask:
    """pman on the memory backend with one job, and an empty route beside it."""
    app = _memory_app("/nonexistent", 0)
    app.add_url_rule("/empty/", view_func=lambda: "")
    client = app.test_client()
    client.post("/api/v1/", json=_request("bench"))
    return app


def _memory_app(storebase: str, jobs: int) -> Flask:
    environ = {"STOREBASE": storebase}
    engine = MemoryEngine({"local": _nothing})
    point = EntryPoint("memory", "pman_core.testing:MemoryBackend", BACKENDS)
    offer = Offer("memory", point, "pman-core", "0")
    app = app_for(compose(environ, offer, MemoryBackend(environ, engine)))
    if jobs:
        for part in ("in", "out"):
            (Path(storebase) / part).mkdir()
    client = app.test_client()
    for number in range(jobs):
        client.post("/api/v1/", json=_request(f"job-{number}"))
    return app


def _nothing(machine: MemoryMachine, argv: list[str]) -> int:
    return 0


def _request(jid: str) -> dict[str, object]:
    return {
        "jid": jid, "image": "local", "entrypoint": ["true"], "args": [], "auid": "bench",
        "type": "fs", "number_of_workers": 1, "cpu_limit": 1, "memory_limit": 1, "gpu_limit": 0,
        "input_dir": "in", "output_dir": "out",
    }  # fmt: skip


def _cost(statement: str) -> tuple[float, float]:
    ran = subprocess.run(
        [sys.executable, "-c", _COST.format(statement)], capture_output=True, check=True, text=True
    )
    milliseconds, mebibytes = json.loads(ran.stdout)
    return milliseconds, mebibytes


def _connected(port: int) -> http.client.HTTPConnection:
    deadline = time.monotonic() + 20
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.connect()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return connection


def _get(connection: http.client.HTTPConnection, path: str, code: int) -> None:
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    if answer.status != code:
        sys.exit(f"GET {path} answered {answer.status}")


def _rate(port: int, path: str) -> float:
    connection = _connected(port)
    return 500 / _seconds(lambda: _get(connection, path, 200), 500)


def _seconds(work: Callable[[], object], times: int) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        work()
    return time.perf_counter() - begin


def row(*cells: str) -> None:
    """Print one row of the table."""
    sys.stdout.write("{:28}{:>12}{:>12}{:>8}{:>10}\n".format(*cells))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
