"""The commands that look at jobs of a running pman, cancel and remove them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import click

from pman_core.cli.client import Answer, Client, ServerError, client_option, jid_type
from pman_core.cli.text import json_option, one_line, print_json, print_log, table
from pman_core.contract.info import Status


@click.command()
@click.argument("jid", type=jid_type)
@json_option
@client_option
def status(client: Client, jid: str, as_json: bool) -> None:
    """Show what became of a job."""
    answer = client.job(jid)
    if as_json:
        print_json(answer)
        return
    lines = list(_lines(answer))
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        click.echo(f"{name:{width}}  {one_line(value)}")


def _lines(answer: Answer) -> Iterator[tuple[str, str]]:
    for name, value in answer.items():
        if name in ("created", "started", "finished") and value:
            yield name, _local_time(value)
        elif name == "labels":
            yield from (("label", f"{key}={text}") for key, text in (value or {}).items())
        elif name not in ("logs", "timestamp") and value not in (None, ""):
            yield name.replace("_", " "), str(value)


def _local_time(moment: str | None) -> str:
    if not moment:
        return ""
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M:%S}"


@click.command()
@click.argument("jid", type=jid_type)
@client_option
def logs(client: Client, jid: str) -> None:
    """Print what a job wrote to stdout and stderr.

    Into a file or a pipe goes exactly that. On a terminal its colours are shown, and other control
    characters as escapes.
    """
    print_log(client.logs(jid))


@click.command()
@click.argument("jids", nargs=-1, required=True, type=jid_type, metavar="JID...")
@client_option
def cancel(client: Client, jids: tuple[str, ...]) -> None:
    """End jobs, keep them with their logs, and print their ids.

    A job that has ended stays as it is.
    """
    _each(client.cancel, jids)


@click.command()
@click.argument("jids", nargs=-1, required=True, type=jid_type, metavar="JID...")
@client_option
def rm(client: Client, jids: tuple[str, ...]) -> None:
    """End jobs, delete them, and print their ids."""
    _each(client.remove, jids)


def _each(do: Callable[[str], object], jids: tuple[str, ...]) -> None:
    failed = []
    for jid in jids:
        try:
            do(jid)
            click.echo(jid)
        except ServerError as error:
            failed.append(error.message)
    if failed:
        raise ServerError("\n".join(failed))


@click.command()
@click.option(
    "--status",
    "wanted",
    type=click.Choice([status.value for status in Status if status is not Status.UNDEFINED]),
    help="Only jobs in this state.",
)
@click.option(
    "--label", "labels", multiple=True, metavar="KEY=VALUE", help="Only jobs with it. Repeatable."
)
@json_option
@client_option
def ls(client: Client, wanted: str | None, labels: tuple[str, ...], as_json: bool) -> None:
    """List the jobs of this pman."""
    found = list(client.jobs(Status(wanted) if wanted else None, labels))
    if as_json:
        print_json(found)
        return
    table(
        ("JID", "STATUS", "IMAGE", "CREATED", "MESSAGE"),
        [
            (job["jid"], job["status"], job["image"], _local_time(job["created"]), job["message"])
            for job in found
        ],
    )
