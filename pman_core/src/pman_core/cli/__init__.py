"""The command ``pman``.

Whatever is slow to import (uvicorn, Flask, requests) is imported by the command that needs
it, so that ``pman --help`` answers at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from pman_core.cli.backends import backends
from pman_core.cli.check import check
from pman_core.cli.config import config
from pman_core.cli.jobs import cancel, logs, ls, rm, status
from pman_core.cli.serve import serve
from pman_core.cli.submit import submit
from pman_core.cli.text import bulleted
from pman_core.cli.token import token
from pman_core.cli.wait import wait
from pman_core.contract.errors import ConfigurationError

_SERVE = "run pman serve --host 0.0.0.0 instead"

#: What began the command line of the service up to pman 6, and in its image, whose entry point
#: pman was not.
_TOKENS = (
    "tokens are in a file now: `pman token new NAME` adds one, and AUTH_TOKENS_FILE names the file "
    "for pman serve"
)

_OLDER = {
    **dict.fromkeys(("--ip", "--port", "--rawmode", "--http", "--listeners"), _SERVE),
    **dict.fromkeys(("--enableTokenAuth", "--tokenPath"), _TOKENS),
    **dict.fromkeys(("gunicorn", "python", "python3"), f"this is the command pman; {_SERVE}"),
}


class WrongConfigurationError(click.ClickException):
    """Tells the operator what is wrong, without a traceback."""

    exit_code = 2


class PmanGroup(click.Group):
    """The commands, in the order in which one comes to need them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As they were added, not by the alphabet."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Split the command line; one of an older pman gets an error that says what replaces it."""
        first = args[0].partition("=")[0] if args else ""
        if first in _OLDER:
            raise click.UsageError(f"{first} is of an older pman: {_OLDER[first]}", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise WrongConfigurationError(
                f"pman cannot start as it is configured:\n{bulleted(error)}"
            ) from error


@click.group(cls=PmanGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pman-core", prog_name="pman", message="%(prog)s %(version)s")
def cli() -> None:
    """Run container images as jobs, on whatever scheduler this site has.

    serve, check, config, token and backends are for operators; the other commands talk to a
    running pman, whose address is in --url or PMAN_URL, with the token in PMAN_TOKEN.
    """


for command in (serve, check, config, token, backends, submit, wait, status, logs, ls, cancel, rm):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of the command ``pman``.

    :param arguments: by default those of the process.
    """
    cli(arguments, prog_name="pman")
