"""``pman submit``: a request for a job, from words on a command line."""

from __future__ import annotations

import os
import uuid
from typing import Any

import click

from pman_core.cli.client import Client, client_option, jid_type
from pman_core.cli.text import one_line
from pman_core.contract.info import Status
from pman_core.contract.request import PluginType


def _environment(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> list[str]:
    entries = []
    for entry in given:
        name, separator, _ = entry.partition("=")
        if not name:
            raise click.BadParameter("must be NAME=VALUE or NAME", ctx, param)
        if not separator and name not in os.environ:
            raise click.BadParameter(f"{name} is not set here; use {name}=VALUE", ctx, param)
        entries.append(entry if separator else f"{name}={os.environ[name]}")
    return entries


@click.command(
    context_settings={"show_default": True}, options_metavar="--image IMAGE [OPTIONS] --"
)
@click.option("--image", required=True, help="Container image.")
@click.option("--input-dir", required=True, help="Input directory, relative to the storebase.")
@click.option("--output-dir", required=True, help="Output directory, likewise.")
@click.option("--jid", type=jid_type, metavar="JID", help="The job's id; a new one if left out.")
@click.option(
    "--type",
    "plugin_type",
    type=click.Choice([kind.value for kind in PluginType]),
    default=PluginType.DS.value,
    help="Type of ChRIS plugin: ds appends input and output directory to the command, "
    "fs and ts only the output directory.",
)
@click.option("--workers", type=int, default=1, help="Copies of the job that run.")
@click.option("--cpu", type=int, default=1000, metavar="MILLICORES", help="CPU limit.")
@click.option("--memory", type=int, default=512, metavar="MIB", help="Memory limit.")
@click.option("--gpu", type=int, default=0, metavar="COUNT", help="GPUs.")
@click.option("--time-limit", type=int, metavar="SECONDS", help="End the job if it runs longer.")
@click.option("--workdir", metavar="PATH", help="Directory in which the job begins.")
@click.option(
    "--env",
    multiple=True,
    callback=_environment,
    metavar="NAME[=VALUE]",
    help="Environment variable of the job. Without a value it gets the one that it has here, "
    "which keeps secrets off the command line. Repeatable.",
)
@click.option(
    "--path-flag",
    "path_flags",
    multiple=True,
    metavar="FLAG",
    help="Argument whose value becomes the input directory. Repeatable.",
)
@click.option(
    "--entrypoint",
    multiple=True,
    metavar="WORD",
    help="Command; all of the words after -- are then its arguments. Repeatable.",
)
@click.option("--auid", default="pman", envvar="USER", help="Whose job it is; pman only notes it.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@client_option
def submit(client: Client, command: tuple[str, ...], **options: Any) -> None:
    """Run a command as a job, and print the job's id.

    COMMAND and its arguments replace the image's own entrypoint.

    \b
    Example:
      jid=$(pman submit --image alpine --input-dir in --output-dir out \\
            -- sh -c 'cp -r "$0" "$1"')
      pman wait "$jid" && pman logs "$jid"
    """
    entrypoint, args = list(options["entrypoint"]), list(command)
    if not entrypoint:
        entrypoint, args = args[:1], args[1:]
    if not entrypoint:
        raise click.UsageError("say what to run, after --: pman submit ... -- COMMAND ARG...")
    answer = client.submit(_request(entrypoint, args, options))
    jid = answer.get("jid", "")
    click.echo(jid)
    if answer.get("status") == Status.FAILED:
        click.echo(f"{jid} has failed: {one_line(str(answer.get('message')))}", err=True)


def _request(entrypoint: list[str], args: list[str], options: dict[str, Any]) -> dict[str, Any]:
    """The request in the words of the wire."""
    request = {
        "jid": options["jid"] or f"job-{uuid.uuid4().hex[:12]}",
        "image": options["image"],
        "entrypoint": entrypoint,
        "args": args,
        "args_path_flags": list(options["path_flags"]),
        "type": options["plugin_type"],
        "auid": options["auid"],
        "number_of_workers": options["workers"],
        "cpu_limit": options["cpu"],
        "memory_limit": options["memory"],
        "gpu_limit": options["gpu"],
        "env": options["env"],
        "input_dir": options["input_dir"],
        "output_dir": options["output_dir"],
    }
    if options["time_limit"] is not None:
        request["time_limit"] = options["time_limit"]
    if options["workdir"] is not None:
        request["workdir"] = options["workdir"]
    return request
