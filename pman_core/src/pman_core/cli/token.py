"""``pman token``: the tokens that clients show."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from pman_core._internal.environment import read_environment
from pman_core._internal.tokens import Token, append_token, parse_time, read_tokens
from pman_core.cli.text import table
from pman_core.contract.access import Role
from pman_core.contract.errors import SettingsError


def _file(ctx: click.Context, param: click.Parameter, value: str | None) -> Path:
    found = value or read_environment(os.environ, Path.cwd()).get("AUTH_TOKENS_FILE")
    if not found:
        raise click.BadParameter("name the file, here or in AUTH_TOKENS_FILE", ctx, param)
    return Path(found)


def _expires(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """A time that comes, or a number of days from now."""
    if value is None:
        return None
    now = datetime.now(UTC)
    days = re.fullmatch(r"([0-9]{1,5})d", value)
    try:
        found = now + timedelta(days=int(days[1])) if days else parse_time(value)
    except ValueError:
        raise click.BadParameter("must be like 2027-12-31 or 90d", ctx, param) from None
    if found <= now:
        raise click.BadParameter("is over: the token would never be valid", ctx, param)
    return found.replace(microsecond=0)


_file_option = click.option(
    "--file", "path", metavar="FILE", callback=_file, help="By default AUTH_TOKENS_FILE."
)


@click.group()
def token() -> None:
    """Make and list the tokens that clients must show.

    They are in the file that AUTH_TOKENS_FILE names, a line for each. To revoke a token, delete
    its line: a running pman reads the file again. For another one of the same name, make a second
    one, hand it out, and delete the first.
    """


@token.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.SUBMIT.value,
    show_default=True,
    help="read: see jobs and logs. submit: also submit, cancel and remove. admin: all jobs, "
    "whosoever they are.",
)
@click.option(
    "--expires",
    callback=_expires,
    metavar="WHEN",
    help="A date (2027-12-31), a time in ISO 8601, or days from now (90d); by default never.",
)
@_file_option
def new(name: str, role: str, expires: datetime | None, path: Path) -> None:
    """Add a token to the file, and print it: only its SHA-256 is kept."""
    try:
        made, line = Token.new(name, Role(role), expires)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    try:
        append_token(path, line)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
    click.echo(f"{name} ({role}) was added to {path}. This is the token, shown only now:", err=True)
    click.echo(made)


@token.command("list")
@_file_option
def list_(path: Path) -> None:
    """Show the tokens of the file: name, role, and until when each is valid."""
    try:
        tokens = read_tokens(path)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    rows = [(one.principal.name, one.principal.role.value, _validity(one)) for one in tokens]
    table(("NAME", "ROLE", "VALID UNTIL"), rows)


def _validity(one: Token) -> str:
    if one.expires is None:
        return "-"
    return f"{one.expires.isoformat()}{' (expired)' if one.is_expired else ''}"
