"""What the readers of :mod:`pman_core.rest.fields` take, as JSON schema.

A validator and a reader agree on every value, but for two things that no schema can say: the
lengths are counted in bytes of UTF-8, not in characters, and a string has no lone surrogates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pman_core.contract.job import MAX_ARGUMENT_BYTES, MAX_JID_LENGTH, RESERVED_JIDS
from pman_core.contract.storage import MAX_NAME_BYTES, MAX_PATH_BYTES
from pman_core.kit.printable import HIDDEN
from pman_core.rest.fields import BLANK, MOST, VISIBLE

Shape = Mapping[str, Any]

TEXT: Shape = {"type": "string", "pattern": r"^[^\u0000]*$"}

IMAGE: Shape = {"type": "string", "pattern": VISIBLE, "not": {"pattern": r"\u0000"}}

_RESERVED = "|".join(re.escape(jid) for jid in sorted(RESERVED_JIDS))
JID: Shape = {
    "type": "string",
    "pattern": rf"^/*[^/]{{1,{MAX_JID_LENGTH}}}$",
    "not": {"pattern": rf"[{HIDDEN}]|^/*({_RESERVED})$"},
}
JID_IN_PATH: Shape = {**JID, "pattern": rf"^[^/]{{1,{MAX_JID_LENGTH}}}$"}

_ARGUMENT: Shape = {**TEXT, "maxLength": MAX_ARGUMENT_BYTES}
ENV: Shape = {
    "type": "array",
    "items": {**_ARGUMENT, "pattern": r"^[^=\u0000]+=[^\u0000]*$"},
}


def arguments(meaning: str) -> Shape:
    """A list of strings, each of which can be one argument."""
    return {"type": "array", "items": _ARGUMENT, "description": meaning}


def directory(meaning: str) -> Shape:
    """A directory below the storebase."""
    return {
        "type": "string",
        "maxLength": MAX_PATH_BYTES,
        "pattern": r"[^./]|\.\.\.",  # more than the storebase itself
        "not": {"pattern": rf"\u0000|(^|/)\.\.(?![^/])|[^/]{{{MAX_NAME_BYTES + 1}}}"},
        "description": meaning,
    }


#: An absolute path without empty, ``.`` and ``..`` parts.
PATH: Shape = {
    "type": "string",
    "maxLength": MAX_PATH_BYTES,
    "pattern": rf"^/([^/\u0000]{{1,{MAX_NAME_BYTES}}}(/[^/\u0000]{{1,{MAX_NAME_BYTES}}})*)?$",
    "not": {"pattern": r"(^|/)\.\.?(?![^/])"},
}


def count(least: int, meaning: str, most: int = MOST) -> Shape:
    """A number from 0 or 1 to a power of ten, which may also be written as a string."""
    zeros = len(str(most)) - 1
    wanted = rf"\+?0*([1-9][0-9]{{0,{zeros - 1}}}|1{'0' * zeros})"
    if least == 0:
        wanted += "|[+-]?0+"
    return {
        "description": meaning,
        "anyOf": [
            {"type": "integer", "minimum": least, "maximum": most},
            {"type": "string", "pattern": f"^[{BLANK}]*({wanted})[{BLANK}]*$"},
        ],
    }
