"""pman inside gunicorn. Imported by ``pman serve`` only."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from gunicorn import arbiter, errors, glogging
from gunicorn.app.base import BaseApplication

from pman_core.environment import DOTENV, Environment

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - gunicorn makes a file there that only it can open

_OPTIONS = {
    "worker_class": "gthread",
    # How long the main thread of a worker may be stuck. It is no limit for requests: those
    # run in other threads, and each call to an engine has its own time-out.
    "timeout": 30,
    "loglevel": "warning",
    "access_log_format": '%(h)s %(t)s "%(r)s" %(s)s %(b)s %(M)sms',
    # pman has to run where the root file system is read-only and there is no HOME.
    "control_socket_disable": True,
    "worker_tmp_dir": _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None,
}


def grace_period(environ: Mapping[str, str]) -> int:
    """Prove that pman can be put together; how many seconds it needs to stop without haste.

    That is the longest call to an engine. A submission that is just being repeated may be cut
    off: its client repeats it too, which is safe.

    :raises SettingsError: with one sentence for each fault.
    """
    from pman_core.startup import assemble

    return assemble(environ).jobs.settings.engine_timeout_s + 5


def development_options() -> dict[str, Any]:
    """What ``--dev`` changes in gunicorn."""
    watched = [DOTENV] if Path(DOTENV).exists() else []
    return {"reload": True, "reload_extra_files": watched, "loglevel": "info"}


def run(options: Mapping[str, Any], host: str, environ: Callable[[], Environment]) -> None:
    """Serve until a signal ends it; leaves by ``SystemExit``.

    :param host: as it is to be shown.
    :param environ: reads the environment, once for each start of a worker.
    """
    gunicorn_style = glogging.Logger
    logging.basicConfig(format=gunicorn_style.error_fmt, datefmt=gunicorn_style.datefmt)
    parent = os.getpid()
    try:
        PmanApplication(options, host, environ).run()
    except SystemExit as stopped:
        # Workers are forks, and leave through here too; gunicorn needs their own codes.
        if os.getpid() == parent and stopped.code == arbiter.Arbiter.APP_LOAD_ERROR:
            raise SystemExit(2) from None
        raise


class PmanApplication(BaseApplication):
    """The application that each worker loads for itself."""

    def __init__(
        self, options: Mapping[str, Any], host: str, environ: Callable[[], Environment]
    ) -> None:
        self._options = {**_OPTIONS, **options, "post_worker_init": _tell_ready}
        self._environ = environ
        self.host = f"[{host}]" if ":" in host else host
        self.backend = ""
        super().__init__()

    def load_config(self) -> None:
        """Hand our options to gunicorn, less those that an older one does not know."""
        for name, value in self._options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """Make the WSGI application; in a worker, so that no connection is shared by forks."""
        if self.cfg.reload:
            _forget_own_modules()
        from pman_core.app import app_for
        from pman_core.cli.text import bulleted
        from pman_core.errors import ConfigurationError
        from pman_core.startup import assemble

        try:
            pman = assemble(self._environ())
            self.backend = pman.offer.name
            return app_for(pman)
        except ConfigurationError as error:
            raise errors.AppImportError(
                f"Error: pman cannot start as it is configured:\n{bulleted(error)}"
            ) from error


def _forget_own_modules() -> None:
    """Let a new worker import the code as it is now, not as it was when the parent started."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "pman_core"]:
        del sys.modules[name]


def _tell_ready(worker: Any) -> None:
    """Print where pman is, once: when the first worker is about to answer."""
    if worker.age == 1:
        port = worker.sockets[0].getsockname()[1]
        click.echo(
            f"pman {version('pman-core')} serves {worker.app.backend} "
            f"on http://{worker.app.host}:{port}/api/v1/"
        )
