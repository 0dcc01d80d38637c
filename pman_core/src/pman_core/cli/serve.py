"""``pman serve``: the service."""

from __future__ import annotations

import os
import socket

import click


@click.command(context_settings={"show_default": True})
@click.option(
    "--host",
    default="127.0.0.1",
    help="Address to listen on; 0.0.0.0 is every network. pman has no authentication: anybody who "
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
    `pman config`. If any is wrong, all faults are shown and nothing is served (exit code 2).
    """
    from pman_core.server.run import Options, run, run_in_development

    if dev and workers > 1:
        raise click.UsageError("--dev serves with one worker; leave --workers out")
    if os.environ.get("GUNICORN_CMD_ARGS"):
        click.echo(
            "GUNICORN_CMD_ARGS has no effect: this is not gunicorn; use --workers and --threads",
            err=True,
        )
    options = Options(host=host, workers=workers, threads=threads, access_log=access_log)
    with _listen(host, port) as listening:
        if dev:
            run_in_development(options, listening)
        else:
            run(options, listening)


def _listen(host: str, port: int) -> socket.socket:
    """The listening socket."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # the rest repeats host and port
        raise click.ClickException(
            f"cannot listen on {host}, port {port}: {reason}; choose others with --host and --port"
        ) from error
