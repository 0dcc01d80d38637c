"""Proxies between pman, its engine and a registry, which fail when a test wants it."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_CHUNK = 16384


class Proxy:
    """Passes each connection on, until it is cut or frozen.

    :param target: a path for a unix socket, host and port for TCP.
    :param listen: a path, or ``None`` for a free TCP port of this machine.
    """

    def __init__(self, target: str | tuple[str, int], listen: str | None = None) -> None:
        self._target = target
        self._listen = listen
        self._lock = threading.Lock()
        self._server: socket.socket | None = None
        self._open: set[socket.socket] = set()
        #: Answers are passed on while this is set.
        self.flowing = threading.Event()
        self.flowing.set()
        #: Bytes per second of the answers of each connection; 0 is as fast as it goes.
        self.rate = 0
        #: Whether answers are passed on a byte at a time, two in a second.
        self.drips = False
        #: How many connections there have been.
        self.connections = 0
        self.port = 0
        self._keeper = None if listen else self._keep_a_port()
        self.up()

    def _keep_a_port(self) -> socket.socket:
        """Bound and never listening: while we are cut, nobody else gets the port."""
        keeper = _tcp_socket(0)
        self.port = keeper.getsockname()[1]
        return keeper

    def up(self) -> None:
        """Listen, unless it does so already; again after ``cut``."""
        if self._server:
            return
        if self._listen:
            server = socket.socket(socket.AF_UNIX)
            Path(self._listen).unlink(missing_ok=True)
            server.bind(self._listen)
        else:
            server = _tcp_socket(self.port)
        server.listen(64)
        self._server = server
        threading.Thread(target=self._accept, args=(server,), daemon=True).start()

    def cut(self) -> None:
        """Stop listening, and break every connection."""
        if self._server:
            _close(self._server)
            self._server = None
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def lead_to(self, target: str) -> None:
        """From now on, something else is behind this address."""
        self.cut()
        self._target = target
        self.up()

    def close(self) -> None:
        """Cut, for good."""
        self.thaw()  # or those that pass answers on would stay
        self.cut()
        if self._keeper:
            self._keeper.close()

    def drip(self) -> None:
        """Go on so slowly that no answer ends."""
        self.drips = True

    def freeze(self) -> None:
        """Accept, and answer nothing any more."""
        self.flowing.clear()

    def thaw(self) -> None:
        """Go on."""
        self.drips = False
        self.flowing.set()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        upstream = socket.socket(
            socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET
        )
        pair = {client, upstream}
        with self._lock:
            self._open |= pair
        try:
            upstream.connect(self._target)
            asks = threading.Thread(target=self._pump, args=(client, upstream), daemon=True)
            asks.start()
            self._pump(upstream, client, answers=True)
            asks.join()
        except OSError:
            pass
        finally:
            with self._lock:
                self._open -= pair
            for one in pair:
                one.close()

    def _pump(self, source: socket.socket, sink: socket.socket, *, answers: bool = False) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                if answers:
                    self.flowing.wait()
                    if self.rate:
                        time.sleep(len(data) / self.rate)
                    while self.drips and data:
                        sink.sendall(data[:1])
                        data = data[1:]
                        time.sleep(0.5)
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _tcp_socket(port: int) -> socket.socket:
    """A socket of this port, or of a free one; others of ours may be bound to it as well."""
    made = socket.socket(socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


def _close(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)  # wakes accept
    server.close()


@contextlib.contextmanager
def proxy(target: str | tuple[str, int], listen: str | None = None) -> Iterator[Proxy]:
    """A proxy for as long as it is needed."""
    made = Proxy(target, listen)
    try:
        yield made
    finally:
        made.close()
