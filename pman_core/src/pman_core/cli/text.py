"""How text is laid out on a terminal, and in a pipe."""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import click

from pman_core.contract.errors import PmanError, SettingsError
from pman_core.kit.printable import escaped
from pman_core.kit.settings import joined

#: What a log may send to a terminal: ends of lines, tabs, and colours.
_SHOWN = re.compile(r"(\r?\n|\t|\x1b\[[0-9;:]*m)")

#: Ends all colours.
_PLAIN = "\x1b[0m"

#: Where a text of several lines becomes one.
_BLANKS = str.maketrans("\n\r\t", "   ")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns. On a terminal, lines that are too long are cut."""
    lines = [head, *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        padded = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo(cut(padded.rstrip()) if sys.stdout.isatty() else padded.rstrip())


def one_line(text: str) -> str:
    """``text`` with nothing in it that would move a terminal's cursor."""
    return escaped(text.translate(_BLANKS))


def print_log(text: str) -> None:
    """Print the log of a job: exactly, but on a terminal, which it could command."""
    if sys.stdout.isatty():
        click.echo(for_terminal(text), nl=False, color=True)
    else:  # of bytes click takes nothing out
        click.echo(text.encode(errors="surrogatepass"), nl=False)


def for_terminal(text: str) -> str:
    """``text`` with its lines, tabs and colours, and everything else that is invisible escaped."""
    pieces = _SHOWN.split(text)
    pieces[::2] = map(escaped, pieces[::2])
    return "".join(pieces) + (_PLAIN if "\x1b" in text else "")


def cut(line: str) -> str:
    """``line``, no longer than the terminal is wide."""
    width = shutil.get_terminal_size().columns
    return line if len(line) <= width else line[: width - 1] + "…"


def paragraph(text: str, indent: str, hanging: str = "") -> None:
    """Print prose; names in it are not broken at hyphens, so that they can be copied."""
    click.echo(
        textwrap.fill(
            text,
            initial_indent=indent,
            subsequent_indent=indent + hanging,
            break_on_hyphens=False,
            break_long_words=False,
        )
    )


def bulleted(error: PmanError) -> str:
    """The problems that an error lists, one per line."""
    return joined(problems(error))


def problems(error: PmanError) -> tuple[str, ...]:
    """The problems that an error lists."""
    return error.problems if isinstance(error, SettingsError) else (str(error),)


def print_json(value: Any) -> None:
    """Print ``value`` for a script."""
    click.echo(json.dumps(value, indent=2))


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
