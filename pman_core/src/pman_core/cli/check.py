"""``pman check``: is everything there that jobs need?"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

import attrs
import click

from pman_core._internal.authentication import Authenticator
from pman_core._internal.environment import Environment, read_environment
from pman_core._internal.startup import Pman, assemble
from pman_core.cli.config import settings_in_force
from pman_core.cli.text import one_line, problems
from pman_core.contract.capabilities import Capabilities, Deviation, Option
from pman_core.contract.errors import ConfigurationError, EngineUnavailableError, PmanError
from pman_core.contract.mounts import HostPath
from pman_core.kit.core_settings import ignoring

_COLOURS = {"ok": "green", "FAULT": "red", "note": "yellow"}

WRONG_SETTINGS = 2
NO_ENGINE = 1


@attrs.frozen
class Finding:
    """One line of the report.

    :param exit_code: what the command must answer because of it.
    """

    kind: str
    text: str
    exit_code: int = 0


@click.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Check the settings, the engine and the storage.

    The exit code is 0 if jobs can run, 2 if the settings must change, and 1 if the engine
    does not answer.
    """
    environ = read_environment(os.environ, Path.cwd())
    worst = 0
    for finding in findings(environ):
        label = click.style(f"{finding.kind:5}", fg=_COLOURS[finding.kind])
        click.echo(f"{label}  {one_line(finding.text)}")
        worst = max(worst, finding.exit_code)
    ctx.exit(worst)


def findings(environ: Environment) -> Iterator[Finding]:
    """Look at one thing after the other; each is shown as soon as it is known."""
    yield from _misspelt(environ)
    try:
        pman = assemble(environ)
    except ConfigurationError as error:
        for problem in problems(error):
            yield Finding("FAULT", f"settings: {problem}", WRONG_SETTINGS)
        return
    yield Finding("ok", "settings: all are valid (pman config shows them)")
    yield Finding("ok", f"backend: {pman.offer}")
    for extension in pman.extensions:
        yield Finding("ok", f"extension: {extension}")
    yield from _access(pman.authenticator)
    yield from _limits(pman)
    yield from _engine(pman)
    yield _storage(pman)
    yield from _what_to_know(pman.jobs.backend.capabilities)


def _misspelt(environ: Environment) -> Iterator[Finding]:
    """Variables that look like a setting and are none: pman cannot know that it is meant."""
    known = {setting.name for setting in settings_in_force(environ)}
    for name in sorted(environ.keys() - known):
        for meant in difflib.get_close_matches(name, known, n=1, cutoff=0.85):
            yield Finding("note", f"settings: {name} means nothing here; did you mean {meant}?")


def _access(authenticator: Authenticator) -> Iterator[Finding]:
    """Who may use this pman."""
    if authenticator.is_off:
        yield Finding("note", "access: AUTH=none: whoever reaches pman may do everything")
    elif authenticator.is_local_only:
        yield Finding(
            "ok",
            "access: no tokens are set up, so pman serves this machine only, and all of its users; "
            "`pman token new NAME` makes a token, AUTH_TOKENS_FILE names its file",
        )
    else:
        tokens = [one for one in authenticator.tokens if not one.is_expired]
        held = ", ".join(f"{one.principal.name} ({one.principal.role})" for one in tokens)
        known = [f"tokens of {held}"] if held else []
        known += [f"extension {name}" for name in authenticator.plugins]
        yield (
            Finding("ok", f"access: {'; '.join(known)}")
            if known
            else Finding("note", "access: no token is valid, so every request will be refused")
        )
        expired = sorted({one.principal.name for one in authenticator.tokens if one.is_expired})
        if expired:
            yield Finding("note", f"access: tokens of {', '.join(expired)} have expired")


def _limits(pman: Pman) -> Iterator[Finding]:
    """Every request names both limits, so a backend that refuses one refuses every request."""
    refusals = pman.jobs.backend.capabilities.refusals
    ignored = pman.jobs.settings.ignore_limits
    limits = {Option.CPU_LIMIT: "a CPU limit", Option.MEMORY_LIMIT: "a memory limit"}
    refused = [option for option in limits if option in refusals and option not in ignored]
    if refused:
        yield Finding(
            "FAULT",
            f"limits: every request asks for {' and '.join(limits[option] for option in refused)}, "
            "which this backend refuses, so each one will be refused: "
            f"set {ignoring(ignored.union(refused))}",
            WRONG_SETTINGS,
        )
    if Option.MEMORY_LIMIT in ignored and Option.MEMORY_LIMIT not in refusals:
        yield Finding(
            "note",
            "limits: one job can take all memory of its machine; "
            f"{ignoring(ignored - {Option.MEMORY_LIMIT})} would keep the limit of each request",
        )


def _engine(pman: Pman) -> Iterator[Finding]:
    try:
        title, *notes = pman.jobs.backend.ping().split("\n")
    except EngineUnavailableError as error:
        hint = "is it running, and may this user reach it?"
        yield Finding("FAULT", f"engine: {error} ({hint})", NO_ENGINE)
    except PmanError as error:
        yield Finding("FAULT", f"engine: {error}", NO_ENGINE)
    else:
        yield Finding("ok", f"engine: {title}")
        yield from (Finding("note", f"engine: {note}") for note in notes)


def _storage(pman: Pman) -> Finding:
    storage = pman.jobs.storage
    try:
        storage.check()
        return _visible(pman) or Finding("ok", f"storage: {storage.description}")
    except EngineUnavailableError as error:
        return Finding("FAULT", f"storage: {storage.description}: {error}", NO_ENGINE)
    except PmanError as error:
        return Finding("FAULT", f"storage: {storage.description}: {error}", WRONG_SETTINGS)


def _visible(pman: Pman) -> Finding | None:
    """What to say of a folder of job data that cannot be seen from here."""
    mount = pman.jobs.settings.storebase_mount
    if mount and not Path(mount).is_dir():
        return Finding(
            "FAULT",
            f"storage: STOREBASE_MOUNT is {mount}, which is no folder here; mount the storebase "
            "there, or unset it",
            WRONG_SETTINGS,
        )
    source = pman.jobs.storage.locate("any")
    if not isinstance(source, HostPath) or Path(source.path).parent.is_dir():
        return None
    missing = f"storage: there is no folder {Path(source.path).parent}"
    if Deviation.REAL_DIRECTORIES in pman.jobs.backend.capabilities.deviations:
        return Finding("FAULT", f"{missing}; create it, or change STOREBASE", WRONG_SETTINGS)
    return Finding("note", f"{missing} here; it must be there on every machine that runs jobs")


def _what_to_know(capabilities: Capabilities) -> Iterator[Finding]:
    for deviation, reason in capabilities.deviations.items():
        yield Finding("note", f"deviation {deviation}: {deviation.meaning} ({reason})")
    for option, reason in capabilities.refusals.items():
        yield Finding("note", f"refuses {option}: {reason}")
    for note in capabilities.notes:
        yield Finding("note", note)
