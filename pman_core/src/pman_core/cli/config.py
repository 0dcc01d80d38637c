"""``pman config``: every variable, the value in force, and where it came from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click

from pman_core._internal import registry
from pman_core._internal.core_storage import StorageSettings
from pman_core._internal.environment import Environment, read_environment
from pman_core.cli.text import bulleted, json_option, paragraph, print_json, problems
from pman_core.contract.errors import ConfigurationError, SettingsError
from pman_core.kit.core_settings import CoreSettings
from pman_core.kit.logins import without_login
from pman_core.kit.settings import names, variables

_HIDDEN = "***"


@attrs.frozen
class Setting:
    """One variable with its value; a secret one is masked."""

    section: str
    name: str
    value: str | None
    origin: str
    default: str | None
    help: str
    secret: bool


@click.command()
@json_option
@click.pass_context
def config(ctx: click.Context, as_json: bool) -> None:
    """Show every setting, its value and its meaning.

    Settings are read from the environment, and from a .env file in the working directory.
    The values of secret ones are not shown. The exit code is 2 if any is wrong.
    """
    environ = read_environment(os.environ, Path.cwd())
    settings = list(settings_in_force(environ))
    faults = _faults(environ)
    if as_json:
        print_json({"settings": [attrs.asdict(s) for s in settings], "faults": list(faults)})
    else:
        _print(settings)
        if faults:
            click.echo(f"\nFaults:\n{bulleted(SettingsError(faults))}", err=True)
    ctx.exit(2 if faults else 0)


def settings_in_force(environ: Environment) -> Iterator[Setting]:
    """All variables of the core, of the selected backend and of the extensions, each once."""
    seen = set()
    for section, settings_class in _sections(environ):
        for variable in variables(settings_class):
            if variable.name in seen:
                continue
            seen.add(variable.name)
            value = environ.get(variable.name) or variable.default
            yield Setting(
                section,
                variable.name,
                _HIDDEN if value and variable.secret else value and without_login(value),
                environ.origin(variable.name),
                variable.default,
                variable.help,
                variable.secret,
            )


def _sections(environ: Environment) -> Iterator[tuple[str, type[Any]]]:
    yield "core", CoreSettings
    yield "storage", StorageSettings
    offers = list(registry.enabled_extensions(names(environ.get("DISABLED_EXTENSIONS", ""))))
    try:
        wanted = environ.get("CONTAINER_ENV") or None
        offers.insert(0, registry.choose(wanted, registry.installed(registry.BACKENDS)))
    except ConfigurationError:
        pass  # it is among the faults
    for offer in offers:
        try:
            settings_class = getattr(offer.load(), "settings_class", None)
        except ConfigurationError:
            continue  # likewise
        if settings_class:
            yield str(offer), settings_class


def _faults(environ: Environment) -> tuple[str, ...]:
    from pman_core._internal.startup import assemble

    try:
        assemble(environ)
    except ConfigurationError as error:
        return problems(error)
    return ()


def _print(settings: list[Setting]) -> None:
    section = ""
    for setting in settings:
        if setting.section != section:
            section = setting.section
            click.secho(f"# {section}", bold=True)
        if setting.origin == "default":
            shown = f"{setting.name}={setting.default}" if setting.default else setting.name
            known = "default" if setting.default else "not set"
        else:
            shown = f"{setting.name}={setting.value}"
            known = f"from {setting.origin}"
            known += f", default {setting.default}" if setting.default else ""
        click.echo(f"{shown}  ({known})")
        paragraph(setting.help, "    ")
