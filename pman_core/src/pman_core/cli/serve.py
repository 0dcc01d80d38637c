"""``pman serve``: the service, on gunicorn."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import click

from pman_core.environment import Environment, read_environment


@click.command(context_settings={"show_default": True})
@click.option(
    "--host",
    default="127.0.0.1",
    help="Address to listen on; 0.0.0.0 is every network. pman has no authentication: whoever "
    "reaches it can run any program, so open it only to a network that you trust.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5010,
    envvar="PORT",
    show_envvar=True,
    help="Port to listen on; 0 takes any free one and prints it.",
)
@click.option("--workers", type=click.IntRange(1), default=1, help="Processes.")
@click.option(
    "--threads", type=click.IntRange(1), default=8, help="Requests that a process serves at once."
)
@click.option("--access-log", is_flag=True, help="Log each request to stdout, without its body.")
@click.option(
    "--dev", is_flag=True, help="Restart when code or .env changes, and log at level DEBUG."
)
def serve(host: str, port: int, workers: int, threads: int, access_log: bool, dev: bool) -> None:
    """Serve the REST interface, until SIGTERM or Ctrl-C.

    Settings come from the environment, and from a .env file in the working directory: see
    `pman config`. If any is wrong, all faults are told and nothing is served (exit code 2).
    """
    from pman_core.cli import server

    if dev and workers > 1:
        raise click.UsageError("--dev serves with one worker; leave --workers out")
    # In development the parent must not import what its workers are to load anew: there, the
    # worker finds the faults.
    grace_s = 1 if dev else server.grace_period(_environment(dev))
    options = {
        "bind": f"fd://{_listen(host, port)}",
        "workers": workers,
        "threads": threads,
        "graceful_timeout": grace_s,
        "accesslog": "-" if access_log else None,
        **(server.development_options() if dev else {}),
    }
    server.run(options, host, lambda: _environment(dev))


def _environment(dev: bool) -> Environment:
    overridden = {"APPLICATION_MODE": "development"} if dev else {}
    return read_environment({**os.environ, **overridden}, Path.cwd())


def _listen(host: str, port: int) -> int:
    """The descriptor of a listening socket: gunicorn itself would retry a taken port for 5 s."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048).detach()
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # the rest repeats host and port
        raise click.ClickException(
            f"cannot listen on {host}, port {port}: {reason}; choose others with --host and --port"
        ) from error
