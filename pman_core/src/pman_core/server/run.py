"""Runs the server: in one process or in several, or in one that is restarted when code changes."""

from __future__ import annotations

import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import attrs
import click
from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from pman_core._internal.authentication import refuse_to_listen
from pman_core._internal.startup import Pman
from pman_core.log_lines import TIME, SafeFormatter, log_to_stderr
from pman_core.server.protocol import PmanProtocol
from pman_core.server.reload import Reloader
from pman_core.server.tls import TlsFiles
from pman_core.server.worker import Worker

#: Seconds for a worker process to load pman.
_LOADED_WITHIN_S = 60


@attrs.frozen
class Options:
    """What ``pman serve`` was asked for."""

    host: str
    workers: int
    threads: int
    access_log: bool
    tls: TlsFiles | None = None


def run(options: Options, listening: socket.socket) -> None:
    """Serve until a signal ends it.

    :raises SettingsError: with one sentence for each fault; nothing is served then.
    """
    worker = Worker(options.threads)
    pman = _checked(worker, options, listening)
    ready = _announcement(options, listening, pman.offer.name)
    if options.workers == 1:
        _end_quietly()
        _Announcing(_config(options, pman, worker.serving(pman)), ready).run([listening])
    else:
        _Supervisor(_config(options, pman, worker, factory=True), [listening], ready).run()


def run_in_development(options: Options, listening: socket.socket) -> None:
    """Serve, and start anew whenever code or the .env file changes, also after a fault.

    :raises SettingsError: as above.
    """
    worker = Worker(options.threads, development=True)
    pman = _checked(worker, options, listening)
    _announcement(options, listening, pman.offer.name)()
    config = _config(options, pman, worker, factory=True)
    config.timeout_graceful_shutdown = 1
    Reloader(config, listening).run()


def _checked(worker: Worker, options: Options, listening: socket.socket) -> Pman:
    """A pman that may be served there.

    :raises SettingsError: with one sentence for each fault.
    """
    pman = worker.assemble()
    refuse_to_listen(pman.authenticator, listening.getsockname()[0])
    if options.tls:
        options.tls.read()
    return pman


def _config(options: Options, pman: Pman, app: Any, *, factory: bool = False) -> Config:
    """The settings of uvicorn.

    The time to stop without haste is that of the longest call to an engine. A submission that is
    just being repeated may be cut off: its client repeats it too, which is safe.
    """
    return _Config(
        app,
        factory=factory,
        interface="asgi3",
        http=PmanProtocol,
        ws="none",
        lifespan="off",
        workers=options.workers,
        log_config=None,
        log_level="info",
        access_log=options.access_log,
        server_header=False,
        proxy_headers=False,
        ssl_context_factory=_Tls(options.tls) if options.tls else None,
        timeout_graceful_shutdown=pman.jobs.settings.engine_timeout_s + 5,
    )


@attrs.frozen
class _Tls:
    """Makes the context in each process: contexts cannot be handed to one that is spawned."""

    files: TlsFiles

    def __call__(self, config: Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        return self.files.context()


class _Config(Config):
    def configure_logging(self) -> None:
        """In each process anew: spawned ones have nothing of their parent's."""
        log_to_stderr()
        super().configure_logging()
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        access = logging.getLogger("uvicorn.access")
        access.propagate = False
        access.handlers = [_access_handler()] if self.access_log else []


def _access_handler() -> logging.Handler:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(SafeFormatter("[%(asctime)s] %(message)s", TIME))
    handler.addFilter(_without_query)
    return handler


def _without_query(record: logging.LogRecord) -> bool:
    """Leave query strings out: their values may be secret."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args
        )
    return True


def _announcement(options: Options, listening: socket.socket, what: str) -> Callable[[], None]:
    host = f"[{options.host}]" if ":" in options.host else options.host
    line = (
        f"pman {version('pman-core')} serves {what} "
        f"on {'https' if options.tls else 'http'}://{host}:{listening.getsockname()[1]}/api/v1/"
    )
    return lambda: click.echo(line)


def _end_quietly() -> None:
    """uvicorn stops at a signal, and then raises it once more: that is no failure."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)


class _Announcing(Server):
    """Says where pman is when it is about to answer."""

    def __init__(self, config: Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready()


class _Supervisor(Multiprocess):
    """Several processes, of which one that dies is replaced."""

    def __init__(
        self, config: Config, sockets: list[socket.socket], ready: Callable[[], None]
    ) -> None:
        super().__init__(config, sockets)
        self._ready = ready

    def init_processes(self) -> None:
        super().init_processes()
        if self.processes[0].wait_until_ready(_LOADED_WITHIN_S, self.should_exit):
            self._ready()
        else:
            sys.stderr.write("a worker process did not start\n")
