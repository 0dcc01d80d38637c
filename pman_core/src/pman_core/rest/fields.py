"""How the values of a request are read: each reader checks one kind of value.

A reader takes what JSON gave and returns the value, or raises ``ValueError`` with what the
value must be. No message repeats a value of ``env``: those may be secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from pman_core.contract.job import MAX_ARGUMENT_BYTES
from pman_core.contract.request import PluginType
from pman_core.contract.storage import directory_fault, target_fault
from pman_core.kit.names import jid_fault

#: More than any machine has; keeps products with units within 64 bits.
MOST = 10**9

#: What may stand around a number in a string, as regular expressions write it.
BLANK = r" \t\n\r\f\v"

#: A character that is no blank. ``\\s`` means less in some languages: the rest is named.
VISIBLE = r"[^\s\u001c-\u001f\u0085\ufeff]"

Reader = Callable[[Any], Any]
Schema = Mapping[str, Any]


class _Required:
    """Marks a field that a request must have."""


REQUIRED = _Required()


@attrs.frozen
class Field:
    """One field of a request.

    :param name: on the wire, and in :class:`~pman_core.contract.request.JobRequest`.
    :param default: its value where the request lacks it, or :data:`REQUIRED`.
    :param schema: the same as JSON schema, for the OpenAPI document.
    :param in_query: whether it may also come in the query string.
    """

    name: str
    read: Reader
    schema: Schema
    default: Any = REQUIRED
    in_query: bool = True


def text(value: Any) -> str:
    """A string that can be handed to an engine."""
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {_kind(value)}")
    if "\0" in value:
        raise ValueError("must not contain NUL")
    if _SURROGATE.search(value):
        raise ValueError("must not contain lone surrogates: they cannot be written as UTF-8")
    return value


def jid(value: Any) -> str:
    """The id of a job; slashes in front of it are dropped, as pman always did."""
    cleaned = text(value).lstrip("/")
    fault = jid_fault(cleaned)
    if fault:
        raise ValueError(fault)
    return cleaned


def image(value: Any) -> str:
    """The name of an image."""
    if not _VISIBLE.search(text(value)):
        raise ValueError("must not be empty")
    return str(value)


def directory(value: Any) -> str:
    """A directory of the storebase; slashes around it are dropped."""
    fault = directory_fault(text(value))
    if fault:
        raise ValueError(fault)
    return str(value).strip("/")


def path(value: Any) -> str:
    """An absolute path inside a job."""
    fault = target_fault(text(value))
    if fault:
        raise ValueError(fault)
    return str(value)


def number(least: int, most: int = MOST) -> Reader:
    """A whole number within bounds; a string that holds one will do, and so will 2.0."""

    def read(value: Any) -> int:
        digits = _NUMBER.fullmatch(value) if isinstance(value, str) else None
        if digits:
            value = int(digits[1] + digits[2])
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            # Of a string only its content is wrong: "1.5" would do if it were "2".
            kind = "" if isinstance(value, str) and value else f", not {_kind(value)}"
            raise ValueError(f"must be a whole number{kind}")
        if not least <= value <= most:
            raise ValueError(f"must be from {least} to {most}")
        return value

    return read


def plugin_type(value: Any) -> PluginType:
    """The type of a ChRIS plugin."""
    choices = [kind.value for kind in PluginType]
    if value not in choices:
        shown = value if isinstance(value, str) and len(value) < 20 else _kind(value)
        raise ValueError(f"{shown} is not a valid choice; use one of {', '.join(choices)}")
    return PluginType(value)


def texts(value: Any) -> tuple[str, ...]:
    """A list of strings, each of which can be one argument."""
    return tuple(_items(value, _argument))


def non_empty_texts(value: Any) -> tuple[str, ...]:
    """A list of at least one string."""
    found = texts(value)
    if not found:
        raise ValueError("cannot be empty")
    return found


def flags(value: Any) -> frozenset[str]:
    """A list of strings whose order has no meaning."""
    return frozenset(texts(value))


def env(value: Any) -> dict[str, str]:
    """A list of ``KEY=VALUE``; of a key that comes twice, the last one holds."""
    if not isinstance(value, list):
        raise ValueError(f'must be a list of "key=value" strings, not {_kind(value)}')
    return dict(_items(value, _env_entry))


def _env_entry(item: Any) -> tuple[str, str]:
    entry = _argument(item)
    key, separator, content = entry.partition("=")
    if not separator or not key:
        raise ValueError('must be a "key=value" string')
    return key, content


def _argument(value: Any) -> str:
    argument = text(value)
    size = len(argument.encode())
    if size > MAX_ARGUMENT_BYTES:
        raise ValueError(f"must be at most {MAX_ARGUMENT_BYTES} bytes long, not {size}")
    return argument


def _items(value: Any, read: Reader) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list of strings, not {_kind(value)}")
    result = []
    for index, item in enumerate(value):
        try:
            result.append(read(item))
        except ValueError as error:
            raise ValueError(f"item {index + 1} {error}") from None
    return result


def _kind(value: Any) -> str:
    """What kind of JSON value it is, without quoting it."""
    kinds = {str: "a string", list: "a list", dict: "an object", bool: "a boolean",
             int: "a number", float: "a fraction", type(None): "null"}  # fmt: skip
    if isinstance(value, str) and not value:
        return "an empty string"
    return kinds[type(value)]


_SURROGATE = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(rf"[{BLANK}]*([+-]?)0*([0-9]{{1,18}})[{BLANK}]*")
_VISIBLE = re.compile(VISIBLE)
