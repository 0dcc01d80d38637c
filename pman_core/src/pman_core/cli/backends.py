"""``pman backends``: what is installed, and what it can do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import click

from pman_core._internal import registry
from pman_core._internal.backend import Backend
from pman_core._internal.environment import read_environment
from pman_core._internal.registry import Offer
from pman_core.cli.text import json_option, paragraph, print_json, problems, table
from pman_core.contract.capabilities import Capabilities
from pman_core.contract.errors import PmanError, SettingsError


@attrs.frozen
class Finding:
    """What became of one installed backend.

    :param state: ``ok``, ``needs settings`` or ``broken``.
    :param faults: why, if it is not ok.
    :param capabilities: known only of a backend that is ok.
    """

    offer: Offer
    state: str
    faults: tuple[str, ...] = ()
    capabilities: Capabilities | None = None


@click.command()
@json_option
def backends(as_json: bool) -> None:
    """Show the installed backends and what they can do.

    Each is loaded with the present environment; one that is broken does not hide the others.
    """
    environ = read_environment(os.environ, Path.cwd())
    findings = [examine(offer, environ) for offer in registry.installed(registry.BACKENDS)]
    if as_json:
        print_json([_as_json(finding) for finding in findings])
        return
    if not findings:
        known = ", ".join(sorted(set(registry.PUBLISHED.values())))
        click.echo(f"No backend is installed. This project publishes: {known}", err=True)
        return
    table(
        ("CONTAINER_ENV", "DISTRIBUTION", "VERSION", "STATE"),
        [(f.offer.name, f.offer.distribution, f.offer.version, f.state) for f in findings],
    )
    for finding in findings:
        lines = list(_details(finding))
        if lines:
            click.echo(f"\n{finding.offer.name}:")
        for line in lines:
            paragraph(line, "  ", "  ")


def examine(offer: Offer, environ: Mapping[str, str]) -> Finding:
    """Load a backend and ask it what it can do; no engine is asked."""
    try:
        manager = registry.new_manager()
        plugin = offer.make(offer.load(), environ)
        registry.register_backend(manager, plugin, str(offer))
        return Finding(offer, "ok", (), Backend(manager, offer.name).capabilities)
    except SettingsError as error:
        return Finding(offer, "needs settings", error.problems)
    except PmanError as error:
        return Finding(offer, "broken", problems(error))


def _details(finding: Finding) -> Iterator[str]:
    yield from finding.faults
    if finding.capabilities:
        for option, reason in finding.capabilities.refusals.items():
            yield f"refuses {option}: {reason}"
        for deviation, reason in finding.capabilities.deviations.items():
            yield f"deviates, {deviation}: {deviation.meaning} ({reason})"
        yield from finding.capabilities.notes


def _as_json(finding: Finding) -> dict[str, Any]:
    can = finding.capabilities
    return {
        "name": finding.offer.name,
        "distribution": finding.offer.distribution,
        "version": finding.offer.version,
        "state": finding.state,
        "faults": list(finding.faults),
        "mounts": sorted(kind.__name__ for kind in can.mounts) if can else None,
        "refusals": dict(can.refusals) if can else None,
        "deviations": dict(can.deviations) if can else None,
        "notes": list(can.notes) if can else None,
    }
