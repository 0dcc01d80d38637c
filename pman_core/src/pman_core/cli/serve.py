"""``pman serve``: the service."""

from __future__ import annotations

import os
import socket

import click


@click.command(context_settings={"show_default": True})
@click.option(
    "--host",
    default="127.0.0.1",
    help="Address to listen on; 0.0.0.0 is every network. Others than this machine's own need "
    "AUTH_TOKENS_FILE, an extension that authenticates, or AUTH=none.",
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
@click.option("--tls-cert", metavar="FILE", help="Serve https, with this certificate (PEM).")
@click.option("--tls-key", metavar="FILE", help="Its key, if that is in a file of its own.")
@click.option(
    "--tls-client-ca",
    metavar="FILE",
    help="Serve only clients that have a certificate of these authorities.",
)
@click.option(
    "--dev", is_flag=True, help="Restart when code or .env changes, and log at level DEBUG."
)
def serve(
    host: str,
    port: int,
    workers: int,
    threads: int,
    access_log: bool,
    tls_cert: str | None,
    tls_key: str | None,
    tls_client_ca: str | None,
    dev: bool,
) -> None:
    """Serve the REST interface, until SIGTERM or Ctrl-C.

    Settings come from the environment, and from a .env file in the working directory: see
    `pman config`. If any is wrong, all faults are shown and nothing is served (exit code 2).
    Certificates and tokens are read again when their files change.
    """
    from pman_core.server.run import Options, run, run_in_development
    from pman_core.server.tls import TlsFiles

    if not tls_cert and (tls_key or tls_client_ca):
        raise click.UsageError("--tls-key and --tls-client-ca mean nothing without --tls-cert")

    if dev and workers > 1:
        raise click.UsageError("--dev serves with one worker; leave --workers out")
    if os.environ.get("GUNICORN_CMD_ARGS"):
        click.echo(
            "GUNICORN_CMD_ARGS has no effect: this is not gunicorn; use --workers and --threads",
            err=True,
        )
    tls = TlsFiles(tls_cert, tls_key, tls_client_ca) if tls_cert else None
    options = Options(host, workers, threads, access_log, tls)
    with _listen(host, port) as listening:
        if dev:
            run_in_development(options, listening)
        else:
            run(options, listening)


def _listen(host: str, port: int) -> socket.socket:
    """The listening socket."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
        # Each connection has it from here. Else the body of an answer waits until the client has
        # acknowledged its headers: 40 ms. asyncio sets it only for sockets that name a protocol.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # the rest repeats host and port
        raise click.ClickException(
            f"cannot listen on {host}, port {port}: {reason}; choose others with --host and --port"
        ) from error
