"""The server: what stalls does not disturb others, and what it refuses itself is JSON."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from rest_helpers import Service, body, until
from server_helpers import POST, answer, port_of, send, serving
from uvicorn import Server

from pman_core import Job, JobInfo, hookimpl
from pman_core.cli.serve import _listen
from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.engine_http import BoundedSession, is_late
from pman_core.server import asgi, protocol
from pman_core.testing import MemoryBackend, MemoryEngine

#: What stalled clients send; each waits for ever after it.
STALLED = {
    "nothing": b"",
    "half a request line": b"GET /api/v1/",
    "half the headers": b"GET /api/v1/ HTTP/1.1\r\nHost: localhost\r\nAccept",
    "half a body": POST + b'Content-Length: 1000\r\n\r\n{"jid"',
    "no body": POST + b"Content-Length: 1000\r\n\r\n",
    "half a chunk": POST + b'Transfer-Encoding: chunked\r\n\r\nff\r\n{"jid"',
    "a body for the wrong path": POST.replace(b"/api/v1/", b"/none/")
    + b"Content-Length: 9\r\n\r\n",
    "a body for the wrong method": POST.replace(b"POST", b"PUT") + b"Content-Length: 9\r\n\r\n",
    "a body that is too long": POST + b"Content-Length: 999999999\r\n\r\n{",
    "a wait for the word to go on": POST + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
}


@pytest.fixture
def server(start: Callable[..., Service]) -> Iterator[tuple[Server, int]]:
    """A server, and its port."""
    with serving(start(MAX_BODY_BYTES="200000").app) as found:
        yield found


@pytest.fixture
def served(server: tuple[Server, int]) -> int:
    """Its port."""
    return server[1]


def get(port: int, path: str = "/api/v1/") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status


def test_200_stalled_clients_do_not_keep_others_from_being_served(served: int) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            for data in STALLED.values():
                stack.enter_context(send(served, data))
        assert [get(served) for _ in range(20)] == [200] * 20
        assert post(served, body()) == 201


def post(port: int, wanted: object) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/api/v1/", json.dumps(wanted), headers)
        return connection.getresponse().status


def unread_answers(port: int, count: int) -> socket.socket:
    """A client that asks so often and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * count)
    return client


def test_clients_that_do_not_read_their_answers_do_not_keep_others_from_being_served(
    served: int,
) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(unread_answers(served, 400))  # more than sockets hold
        assert [get(served) for _ in range(5)] == [200] * 5


def test_a_client_that_reads_nothing_is_cut_off(
    server: tuple[Server, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "STALL_S", 0.2)
    connections = server[0].server_state.connections
    with unread_answers(server[1], 2000):
        until(lambda: connections, bool)
        until(lambda: connections, lambda left: not left)


@pytest.mark.parametrize("kind", ["half a request line", "half the headers"])
def test_headers_that_do_not_come_are_reported(
    kind: str, served: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEADERS_S", 0.2)
    status, told = answer(send(served, STALLED[kind]))
    assert status == 408
    assert "headers" in told["message"]


def test_a_client_that_sends_its_headers_byte_by_byte_is_reported(
    served: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEADERS_S", 0.5)
    with send(served, b"GET /api/v1/ HTTP/1.1\r\nX: ") as client:
        client.settimeout(0.02)
        seen = until(lambda: _drip(client), bool)
    assert seen.startswith(b"HTTP/1.1 408 ")


def _drip(client: socket.socket) -> bytes:
    with contextlib.suppress(TimeoutError):
        return client.recv(1000)
    client.sendall(b"a")
    return b""


@pytest.mark.parametrize("kind", ["half a body", "no body", "half a chunk"])
def test_a_body_that_does_not_come_is_reported(
    kind: str, served: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "BODY_S", 0.2)
    status, told = answer(send(served, STALLED[kind]))
    assert status == 408
    assert "body" in told["message"]


def test_a_client_that_says_nothing_is_cut_off(
    served: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEADERS_S", 0.2)
    with send(served, b"") as client:
        assert client.recv(1) == b""


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400),
        (b"GET /api/v1/jobs/?status=\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000, 431),
        (POST + b"Content-Length: 200001\r\n\r\n{", 413),
    ],
)
def test_what_the_server_refuses_itself_is_json(served: int, data: bytes, code: int) -> None:
    status, told = answer(send(served, data))
    assert status == code
    assert told["message"]


def test_a_large_body_that_is_refused_early_is_read_on_so_that_its_client_sees_why(
    served: int,
) -> None:
    with send(served, POST + b"Content-Length: 5000000\r\n\r\n") as client:
        client.sendall(b"x" * 5_000_000)
        assert answer(client)[0] == 413


def test_large_bodies_that_stall_do_not_fill_the_memory(served: int) -> None:
    stalled = POST + b"Content-Length: 150000\r\n\r\n" + b"x" * 100_000
    with contextlib.ExitStack() as stack:
        for _ in range(asgi.LARGE_AT_ONCE):
            stack.enter_context(send(served, stalled))
        status = until(lambda: post(served, {"jid": "x" * 100_000}), lambda code: code == 503)
        assert status == 503
        assert post(served, body()) == 201  # an ordinary one
    until(lambda: post(served, {"jid": "x" * 100_000}), lambda code: code == 400)


def test_a_connection_serves_one_request_after_the_other(served: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served, timeout=10)
    with contextlib.closing(connection):
        for _ in range(3):
            connection.request("GET", "/api/v1/")
            assert connection.getresponse().read()


# ------------------------------------------------------------- an engine that hangs


class HangingBackend(MemoryBackend):
    """Its engine takes a connection for each call, and answers none."""

    def __init__(self, storebase: Path, engine: MemoryEngine, port: int, timeout_s: float) -> None:
        super().__init__({"STOREBASE": str(storebase)}, engine)
        self._port, self._timeout_s = port, timeout_s

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        return self._ask(self._timeout_s)

    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        return self._ask(self._timeout_s * 2 / 3)

    def _ask(self, timeout_s: float) -> JobInfo:
        with BoundedSession() as session:
            try:
                session.get(f"http://127.0.0.1:{self._port}/", timeout=timeout_s)
            except (OSError, requests.RequestException) as error:
                raise EngineUnavailableError(f"late: {is_late(error)}") from error
        raise AssertionError("it answered")


@pytest.fixture
def timeout_s() -> float:
    """Of that engine."""
    return 3


@pytest.fixture
def hanging(
    start: Callable[..., Service], storebase: Path, engine: MemoryEngine, timeout_s: float
) -> Iterator[tuple[int, list[socket.socket]]]:
    """The port of a pman whose engine hangs, and what has asked that engine."""
    asked: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as stack:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    asked.append(stack.enter_context(listening.accept()[0]))

        thread = threading.Thread(target=accept)
        thread.start()
        stack.callback(thread.join)
        stack.callback(listening.shutdown, socket.SHUT_RDWR)
        plugin = HangingBackend(storebase, engine, listening.getsockname()[1], timeout_s)
        _, port = stack.enter_context(serving(start(plugin).app, timeout_s))
        yield port, asked


def hang_up(asked: list[socket.socket]) -> None:
    """Let those go on that wait for the engine."""
    for connection in list(asked):
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("timeout_s", [60])
def test_an_engine_that_hangs_delays_no_request_that_needs_no_engine(
    hanging: tuple[int, list[socket.socket]],
) -> None:
    port, asked = hanging
    with ThreadPoolExecutor(40) as pool:
        waiting = [pool.submit(get, port, "/api/v1/x/") for _ in range(40)]
        until(lambda: asked, bool)
        paths = ["/api/v1/", "/openapi.json", "/api/v1/?x=1", "/api/v1", "/none/"]
        assert [get(port, path) for path in paths] == [200, 200, 400, 308, 404]
        assert not any(client.done() for client in waiting)

        def are_done() -> bool:
            hang_up(asked)
            return all(client.done() for client in waiting)

        until(are_done, bool)


def test_requests_do_not_wait_for_an_engine_that_hangs_one_after_the_other(
    hanging: tuple[int, list[socket.socket]],
) -> None:
    """The time that a request waits for a thread counts, so those behind it ask nothing."""
    port, asked = hanging
    with ThreadPoolExecutor(40) as pool:
        assert set(pool.map(lambda _: get(port, "/api/v1/x/"), range(40))) == {503}
    assert len(asked) < 10


def test_a_submission_is_repeated_only_while_its_client_waits(
    hanging: tuple[int, list[socket.socket]],
) -> None:
    port, asked = hanging
    assert post(port, body()) == 503
    assert len(asked) < 3  # each takes 2 of 3 seconds


# ------------------------------------------------------------------------- pman serve


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_ends_silently_when_it_is_asked_to(
    workers: str, pman_serve: Callable[..., subprocess.Popen[str]]
) -> None:
    process = pman_serve("--workers", workers, ENGINE_TIMEOUT="90")
    port = port_of(process)
    until(lambda: get(port), lambda status: status == 200)
    with send(port, STALLED["half the headers"]), send(port, STALLED["half a body"]):
        assert get(port) == 200  # by now both have arrived
        process.terminate()
        assert process.wait(20) == 0
    assert process.communicate() == ("", "")


def test_a_worker_that_dies_is_replaced(
    pman_serve: Callable[..., subprocess.Popen[str]],
) -> None:
    process = pman_serve("--workers", "2")
    port = port_of(process)
    first = workers_of(process)
    for worker in first:
        os.kill(worker, signal.SIGKILL)
    until(lambda: workers_of(process), lambda now: len(now) == 2 and not now & first)
    assert get(port) == 200


def workers_of(process: subprocess.Popen[str]) -> set[int]:
    """The processes that serve; Python's own helper for resources is none."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return {
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    }


def test_development_restarts_when_the_settings_change_also_after_a_fault(
    pman_serve: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = pman_serve("--dev")
    port = port_of(process)
    until(lambda: answers(port), bool)
    (tmp_path / ".env").write_text("SHM_SIZE=nonsense\n")
    assert process.stderr
    until(process.stderr.readline, lambda line: "SHM_SIZE must be" in line)
    (tmp_path / ".env").write_text("SHM_SIZE=64\n")
    until(lambda: answers(port), bool)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return get(port) == 200
    return False


@pytest.mark.parametrize(
    ("mode", "shown"),
    [("production", {"info"}), ("development", {"debug", "info"})],
)
def test_the_log_shows_debug_lines_of_a_plugin_in_development_only(
    mode: str, shown: set[str], pman_serve: Callable[..., subprocess.Popen[str]]
) -> None:
    process = pman_serve(APPLICATION_MODE=mode)
    assert get(port_of(process), "/api/v1/none/") == 404
    process.terminate()
    _, log = process.communicate(timeout=20)
    assert set(re.findall(r"an? (\w+) line of a plugin", log)) == shown


def test_the_access_log_holds_no_query_strings(
    pman_serve: Callable[..., subprocess.Popen[str]],
) -> None:
    process = pman_serve("--access-log")
    port = port_of(process)
    assert get(port, "/api/v1/jobs/?label=token%3Dhush") == 200
    process.terminate()
    told = "".join(process.communicate(timeout=20))
    assert "/api/v1/jobs/" in told
    assert "hush" not in told


def test_no_id_turns_the_text_of_the_log(
    pman_serve: Callable[..., subprocess.Popen[str]],
) -> None:
    process = pman_serve("--access-log")
    port = port_of(process)
    assert post(port, body(jid="a\u202eb", image="demo")) == 400
    assert get(port, "/api/v1/a%E2%80%AEb/") == 404
    process.terminate()
    told = "".join(process.communicate(timeout=20))
    assert "a%E2%80%AEb" in told
    assert "\u202e" not in told


def test_the_body_of_an_answer_does_not_wait_until_its_headers_are_acknowledged() -> None:
    """Clients acknowledge late: it took 40 ms for each answer on a connection that is kept."""
    with _listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
