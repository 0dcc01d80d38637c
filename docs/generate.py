"""Writes the parts of the reference that the code itself knows.

``python docs/generate.py`` writes them; ``--check`` only says which are out of date. A test
does the latter, so the reference cannot drift from the code.
"""

from __future__ import annotations

import inspect
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from pman_core._internal import registry
from pman_core._internal.backend import Backend
from pman_core._internal.core_storage import StorageSettings
from pman_core.cli import cli as command_line
from pman_core.contract import hookspecs
from pman_core.contract.capabilities import Deviation
from pman_core.kit.core_settings import CoreSettings
from pman_core.kit.settings import variables
from pman_core.rest import errors as rest_errors
from pman_core.rest.fields import REQUIRED
from pman_core.rest.openapi import COMMON_ERRORS, openapi_document
from pman_core.rest.schema import FIELDS

REFERENCE = Path(__file__).parent / "reference"

#: A field of a docstring, such as ``:raises ValueError: text``; a role has a backtick instead.
_FIELD = re.compile(r":(\w+)(?: ([^:]+))?:(?!`)(.*)")

NOTE = "<!-- Written by docs/generate.py; change the code, then run ./nox -s docs -->\n"


def pages() -> dict[str, str]:
    """Every generated page, by its name."""
    written = {
        "hooks.md": hooks(),
        "settings.md": settings(),
        "rest.md": rest(),
        "command-line.md": commands(),
        "backends.md": backends(),
    }
    return {name: NOTE + "\n" + text.rstrip() + "\n" for name, text in written.items()}


def hooks() -> str:
    """One section for each hook, from the contract."""
    parts = ["# Hooks", _prose(hookspecs)]
    for title, owner in (
        ("Hooks of a backend", hookspecs.BackendHooks),
        ("Hooks of every plugin", hookspecs.PluginHooks),
    ):
        parts += [f"## {title}", _prose(owner)]
        for name, hook in vars(owner).items():
            if not name.startswith("pman_"):
                continue
            signature = inspect.signature(hook)
            arguments = [
                f"{p.name}: {p.annotation}"
                for p in signature.parameters.values()
                if p.name != "self"
            ]
            head = f"{name}({', '.join(arguments)}) -> {signature.return_annotation}"
            kind = " (optional)" if name in hookspecs.OPTIONAL else ""
            parts += [f"### `{name}`{kind}", f"```text\n{head}\n```", _prose(hook)]
    return "\n\n".join(parts)


def settings() -> str:
    """One table for the core, and one for each installed backend."""
    parts = [
        "# Settings",
        "pman reads environment variables, and under them a `.env` file in the working "
        "directory. A variable that is set to nothing counts as unset. All faults are reported at "
        "once, at start, with exit code 2. `pman config` shows the values in force.",
        "## Core",
        _variables(CoreSettings, StorageSettings),
    ]
    known = {
        variable.name for cls in (CoreSettings, StorageSettings) for variable in variables(cls)
    }
    shown: set[str] = set()
    for offer in registry.installed(registry.BACKENDS):
        settings_class = getattr(offer.load(), "settings_class", None)
        if settings_class and offer.distribution not in shown:
            shown.add(offer.distribution)
            table = _variables(settings_class, without=known)
            parts += [f"## {offer.distribution}", table]
    return "\n\n".join(parts)


def _variables(*classes: type[Any], without: frozenset[str] | set[str] = frozenset()) -> str:
    found = [v for cls in classes for v in variables(cls) if v.name not in without]
    if not found:
        return "No variables of its own."
    rows = [
        (f"`{v.name}`", f"`{v.default}`" if v.default is not None else "", v.help) for v in found
    ]
    return _table(("variable", "default", "meaning"), rows)


def rest() -> str:
    """Routes, fields of a request and codes."""
    document = openapi_document("")
    routes = [
        (f"`{method.upper()} {path}`", operation["summary"], _own_codes(operation))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]
    parameters = [
        (f"`GET {path}`", f"`{parameter['name']}`", parameter["schema"]["description"])
        for path, item in document["paths"].items()
        for parameter in item.get("get", {}).get("parameters", ())
    ]
    fields = [
        (
            f"`{field.name}`",
            "yes" if field.default is REQUIRED else "",
            "body or query" if field.in_query else "body",
            _kind(field.schema),
            field.schema["description"],
        )
        for field in FIELDS
    ]
    codes = [
        (f"`{error.__name__}`", str(code), _first_line(error))
        for error, code in rest_errors.STATUS.items()
    ]
    job = document["components"]["schemas"]["Job"]["properties"]
    answers = [(f"`{name}`", schema.get("description", "")) for name, schema in job.items()]
    return "\n\n".join(
        [
            "# REST",
            "The server describes itself: `GET /openapi.json`. Paths end with a slash; without "
            'it the answer is a redirect (308). Errors have the form `{"message": ...}`, where '
            "the message is a text, or an object with a text for each field that is to blame.",
            "## Routes",
            _table(("route", "meaning", "codes"), routes),
            "Any request may also be answered with: "
            + "; ".join(f"{code}, {error['description']}" for code, error in COMMON_ERRORS.items())
            + ".",
            "## Parameters in the query string",
            _table(("route", "parameter", "meaning"), parameters),
            "## Fields of a request",
            _table(("field", "required", "place", "type", "meaning"), fields),
            "A number may be written as a string. An equal request with the same `jid` finds the "
            "job that exists (201); another request with the same `jid` is a 409. Fields that "
            "mean nothing here are not an error; the answer names them in `ignored`.",
            "## Keys of an answer",
            _table(("key", "meaning"), answers),
            "## Errors",
            _table(("error", "code", "meaning"), codes),
            "## Generated requests",
            "`./nox -s fuzz` makes requests out of the server's own document, what it allows and "
            "what it forbids, and sends them to `pman serve` with jobs in memory. It fails on a "
            "server error, on an answer or a code that is not described, and on a traceback in the "
            "log. Last run: 3,158 requests at e6371d5, no fault.",
        ]
    )


def _kind(schema: Any) -> str:
    if "anyOf" in schema:
        return "whole number"
    if "enum" in schema:
        return " or ".join(f"`{choice}`" for choice in schema["enum"])
    return "list of strings" if schema["type"] == "array" else "string"


def _own_codes(operation: Any) -> str:
    return ", ".join(code for code in operation["responses"] if code not in COMMON_ERRORS)


def commands() -> str:
    """The help of every command."""
    context = click.Context(command_line, info_name="pman", terminal_width=90, max_content_width=90)
    parts = ["# Command line", f"```text\n{command_line.get_help(context)}\n```"]
    for name in command_line.list_commands(context):
        command = command_line.get_command(context, name)
        if command is None or command.hidden:
            continue
        with click.Context(
            command, info_name=f"pman {name}", terminal_width=90, max_content_width=90
        ) as inner:
            parts += [f"## pman {name}", f"```text\n{command.get_help(inner)}\n```"]
    return "\n\n".join(parts)


def backends() -> str:
    """What each installed backend refuses, and where it deviates."""
    parts = [
        "# Backends",
        "Nothing is silently ignored. What a backend cannot do it declares: a *refusal* is an "
        "option that it cannot honour (400 for a request, no start for a setting); a *deviation* "
        "is a weaker form of a promise, from this fixed list:",
        _table(("deviation", "meaning"), [(f"`{d.value}`", d.meaning) for d in Deviation]),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for offer in registry.installed(registry.BACKENDS):
            manager = registry.new_manager()
            # A home of its own keeps what depends on this machine out of the page. Some must
            # know where their engine and the job data are; neither is asked.
            Path(folder, "config").touch()
            environ = {
                "HOME": folder,
                "KUBECONFIG": f"{folder}/config",
                "CROMWELL_URL": "http://127.0.0.1:8000",
                "STOREBASE": folder,
            }
            plugin = offer.make(offer.load(), environ)
            registry.register_backend(manager, plugin, str(offer))
            declared = Backend(manager, offer.name).capabilities
            rows = [("refuses", f"`{k.value}`", v) for k, v in declared.refusals.items()]
            rows += [("deviates", f"`{k.value}`", v) for k, v in declared.deviations.items()]
            parts += [f"## {offer.name}", f"Installed by `{offer.distribution}`."]
            parts += [_table(("", "what", "why"), rows) if rows else "No refusal, no deviation."]
    return "\n\n".join(parts)


def _prose(owner: Any) -> str:
    """A docstring as Markdown: its fields become a list."""
    return "\n".join(_marked_down(inspect.getdoc(owner) or ""))


def _marked_down(doc: str) -> Iterator[str]:
    for line in doc.splitlines():
        if field := _FIELD.match(line):
            kind, name, text = field.groups()
            line = f"- {kind} `{name}`:{text}" if name else f"- {kind}:{text}"
        yield re.sub(r":\w+:`~?([^`]+)`", r"`\1`", line.replace("``", "`"))


def _first_line(owner: Any) -> str:
    return (inspect.getdoc(owner) or "").splitlines()[0]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    """Write the pages, or say which are out of date."""
    check = "--check" in sys.argv[1:]
    stale = []
    for name, text in pages().items():
        path = REFERENCE / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    sys.stdout.write(f"{'out of date' if check else 'written'}: {', '.join(stale) or 'none'}\n")
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
