"""A time-out of a call to an engine bounds the whole call, however slowly the engine answers."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import requests
import urllib3

from pman_core.kit.deadline import left, within
from pman_core.kit.engine_http import BoundedSession, bound_pool, is_late

pytestmark = pytest.mark.timeout(60)

OK = b"HTTP/1.1 200 OK\r\n"

#: What comes at once, and what then comes without end, a byte at a time.
ENDLESS = {
    "nothing": (b"", b""),
    "a status line": (b"HTTP/1.1 200 ", b"O"),
    "headers": (OK, b"X: y\r\n"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (OK + b"Content-Length: 1000000\r\n\r\n", b"x"),
    "a body without a length": (OK + b"\r\n", b"x"),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "compressed": (
        OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\xff",
        b"\0\0\0\xff\xff",  # empty blocks
    ),
}

Answer = Callable[[socket.socket], None]
Serve = Callable[[Answer], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers, which answer each connection by a function; their ports."""
    with contextlib.ExitStack() as stack:

        def begin(answer: Answer) -> int:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve_one(client: socket.socket) -> None:
                with client, contextlib.suppress(OSError):
                    answer(client)

            def accept() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        client, _ = listening.accept()
                        stack.callback(_hang_up, client)
                        threading.Thread(target=serve_one, args=(client,), daemon=True).start()

            thread = threading.Thread(target=accept)
            thread.start()
            stack.callback(thread.join)
            stack.callback(_hang_up, listening)
            return int(listening.getsockname()[1])

        yield begin


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def dripping(at_once: bytes, without_end: bytes) -> Answer:
    """Answers a byte every fiftieth of a second, for ever."""

    def answer(client: socket.socket) -> None:
        client.sendall(at_once)
        pause = threading.Event()
        for byte in itertools.cycle(without_end or [0]):
            pause.wait(0.02)
            if without_end:
                client.sendall(bytes([byte]))
            elif not client.recv(65536):
                return

    return answer


@pytest.mark.parametrize("kind", ENDLESS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_call_ends_though_the_answer_does_not(serve: Serve, kind: str, stream: bool) -> None:
    port = serve(dripping(*ENDLESS[kind]))
    with BoundedSession() as session, pytest.raises((OSError, requests.RequestException)) as told:
        _ = session.get(f"http://127.0.0.1:{port}/", timeout=0.5, stream=stream).content
    assert is_late(told.value)


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_pool_is_bounded_likewise(serve: Serve, kind: str) -> None:
    port = serve(dripping(*ENDLESS[kind]))
    with urllib3.PoolManager(retries=urllib3.Retry(0, read=False)) as manager:
        url = f"http://127.0.0.1:{port}/"
        bound_pool(manager.connection_from_url(url))
        with pytest.raises(urllib3.exceptions.HTTPError) as told:
            manager.request("GET", url, timeout=urllib3.Timeout(total=0.5))
    assert is_late(told.value)


@pytest.mark.parametrize("kind", ["nothing", "a status line", "headers"])
def test_a_call_ends_though_a_proxy_does_not_connect_it(serve: Serve, kind: str) -> None:
    proxies = {"https": f"http://127.0.0.1:{serve(dripping(*ENDLESS[kind]))}"}
    with BoundedSession() as session, pytest.raises((OSError, requests.RequestException)) as told:
        session.get("https://engine.example/", timeout=0.5, proxies=proxies)
    assert is_late(told.value)


def test_a_call_ends_though_tls_does_not_begin(serve: Serve) -> None:
    port = serve(dripping(b"", b""))
    with BoundedSession() as session, pytest.raises((OSError, requests.RequestException)) as told:
        session.get(f"https://127.0.0.1:{port}/", timeout=0.5)
    assert is_late(told.value)


def test_a_connection_that_is_refused_is_not_late() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # it does not listen
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        with BoundedSession() as session, pytest.raises(requests.ConnectionError) as told:
            session.get(url, timeout=5)
    assert not is_late(told.value)


def test_an_answer_that_reports_progress_may_take_longer_than_its_time_out(serve: Serve) -> None:
    def answer(client: socket.socket) -> None:
        client.sendall(OK + b"Content-Length: 40\r\n\r\n")
        for _ in range(40):
            threading.Event().wait(0.1)
            client.sendall(b"x")

    with BoundedSession() as session:
        found = session.get(f"http://127.0.0.1:{serve(answer)}/", timeout=(5, 2), stream=True)
        assert found.content == b"x" * 40


def test_its_headers_come_in_time_all_the_same(serve: Serve) -> None:
    port = serve(dripping(*ENDLESS["headers"]))
    with BoundedSession() as session, pytest.raises((OSError, requests.RequestException)) as told:
        session.get(f"http://127.0.0.1:{port}/", timeout=(5, 0.5), stream=True)
    assert is_late(told.value)


def test_a_connection_is_used_again_with_its_whole_time_out(serve: Serve) -> None:
    connections = []

    def answer(client: socket.socket) -> None:
        connections.append(client)
        while client.recv(65536):
            threading.Event().wait(0.6)
            client.sendall(OK + b"Content-Length: 2\r\n\r\nok")

    with BoundedSession() as session:
        url = f"http://127.0.0.1:{serve(answer)}/"
        assert [session.get(url, timeout=5).text for _ in range(3)] == ["ok"] * 3
    assert len(connections) == 1


def test_a_request_bounds_all_calls_that_are_made_for_it(serve: Serve) -> None:
    url = f"http://127.0.0.1:{serve(dripping(b'', b''))}/"
    with within(0.5), BoundedSession() as session:
        for _ in range(3):
            with pytest.raises((OSError, requests.RequestException)) as told:
                session.get(url, timeout=1_000_000)
            assert is_late(told.value)


def test_outside_of_a_request_a_call_has_its_whole_time() -> None:
    with within(0.0), pytest.raises(TimeoutError):
        left(5)
    assert left(5) == 5
