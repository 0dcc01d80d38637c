"""Settings from environment variables: declared once, read late, all faults reported together.

A plugin declares its variables in a class made with environ-config::

    @environ.config(prefix="")
    class EchoSettings(EngineSettings):
        greeting: str = variable("ECHO_GREETING", text, "hello", "What to say.")

and reads them with ``load(EchoSettings, environ)`` in its factory. A class attribute
``settings_class`` on the factory lets ``pman config`` show them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import attrs
import environ

from pman_core.contract.errors import SettingsError
from pman_core.kit.logins import told_of, without_login
from pman_core.kit.names import DEFAULT_INSTANCE

T = TypeVar("T")
Parser = Callable[[str], Any]


class Secret:
    """A value that is never shown; ``reveal`` gives it to whom it is for."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"


@attrs.frozen
class _Fault:
    """Stands in for a value that could not be read, until all faults are reported together."""

    name: str
    problem: str


@attrs.frozen
class _LateParser:
    """Reads a value without raising: environ-config would stop at the first fault."""

    name: str
    parse: Parser

    def __call__(self, value: str | None) -> Any:
        if value is None:
            return None
        try:
            return self.parse(value)
        except ValueError as error:
            shown = "" if self.parse is Secret else f" (it is {without_login(value)!r})"
            return _Fault(self.name, f"{self.name} {told_of(value, str(error))}{shown}")


def variable(name: str, parse: Parser, default: str | None, help: str) -> Any:
    """Declare one variable of a settings class.

    :param name: the environment variable.
    :param parse: turns its text into a value; a ``ValueError`` says what the value must be.
    :param default: the text that holds where the variable is unset or empty; ``None`` if
        there is none.
    :param help: one or two sentences for the operator; they end up in the docs.
    """
    return environ.var(default=default, converter=_LateParser(name, parse), name=name, help=help)


def load(settings_class: type[T], environment: Mapping[str, str]) -> T:
    """The settings that ``environment`` holds. An empty value counts as unset.

    The class may have a method ``problems()`` that yields sentences about combinations.

    :raises SettingsError: with one sentence for each fault.
    """
    declared = [variable.name for variable in variables(settings_class)]
    given = {name: environment[name] for name in declared if environment.get(name)}
    settings: Any = environ.to_config(settings_class, given)
    faults = [
        value for value in attrs.astuple(settings, recurse=False) if isinstance(value, _Fault)
    ]
    problems = [fault.problem for fault in faults]
    if faults:
        # Combinations are looked at all the same, with defaults for what could not be read.
        for fault in faults:
            del given[fault.name]
        settings = environ.to_config(settings_class, given)
    if hasattr(settings, "problems"):
        problems += settings.problems()
    if problems:
        raise SettingsError(problems)
    return settings  # type: ignore[no-any-return]


@attrs.frozen
class Variable:
    """One declared variable, for tables."""

    name: str
    default: str | None
    help: str
    secret: bool


def variables(settings_class: type[Any]) -> Iterator[Variable]:
    """All variables of a settings class, in the order in which they are declared."""
    for field in attrs.fields(settings_class):
        if isinstance(field.converter, _LateParser):
            entry = field.metadata["environ_config"]
            secret = field.converter.parse is Secret
            yield Variable(field.converter.name, entry.default, entry.help, secret)


# ------------------------------------------------------------------ parsers


def text(value: str) -> str:
    """Any text."""
    return value


def absolute_path(value: str) -> str:
    """An absolute path."""
    if not value.startswith("/") or "\0" in value:
        raise ValueError("must be an absolute path")
    return value.rstrip("/") or "/"


def flag(value: str) -> bool:
    """yes or no, in the spellings that pman 6 took."""
    word = value.strip().lower()
    if word in ("yes", "y", "on", "true", "t", "1"):
        return True
    if word in ("no", "n", "off", "false", "f", "0"):
        return False
    raise ValueError("must be yes or no")


def whole_number(least: int, most: int = 10**9) -> Parser:
    """A whole number within bounds."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value) or not least <= int(value) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(value)

    return parse


def one_of(*words: str) -> Parser:
    """One of these words."""

    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return value

    return parse


def names(value: str) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(name.strip() for name in value.split(",") if name.strip())


def pairs(value: str) -> dict[str, str]:
    """``key=value`` pairs separated by commas; each is split at its first ``=``."""
    result: dict[str, str] = {}
    for pair in names(value):
        key, separator, content = (part.strip() for part in pair.partition("="))
        if not separator or not key:
            raise ValueError("must be pairs like key=value,other=value")
        if key in result:
            raise ValueError(f"names {key!r} twice")
        result[key] = content
    return result


def instance_name(value: str) -> str:
    """A name that every engine takes as a label value and as a part of names."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", value):
        raise ValueError("must be 1 to 40 lower-case letters, digits and inner hyphens")
    return value


# ---------------------------------------------------- what all backends share


@environ.config(prefix="", frozen=True)
class EngineSettings:
    """What every backend needs to know of pman itself; a plugin's settings extend it."""

    instance: str = variable(
        "INSTANCE",
        instance_name,
        DEFAULT_INSTANCE,
        "Keeps the jobs of two pmans on one engine apart. Replicas of one pman share it.",
    )
    engine_timeout_s: int = variable(
        "ENGINE_TIMEOUT",
        whole_number(1, 90),
        "20",
        "Seconds that a call to the engine may take in all; then the engine counts as unavailable "
        "(503). A request that came to pman serve has so many for all its calls together, and for "
        "its wait for a thread. Below 100, which is how long pfcon waits.",
    )
    storebase_mount: str | None = variable(
        "STOREBASE_MOUNT",
        absolute_path,
        None,
        "Where pman itself sees the storebase, if it does (read-only is enough); for "
        "STORAGE_TYPE=host that is STOREBASE itself. Then directories that lead through a link are "
        "refused, and on Kubernetes those that are missing.",
    )
    start_deadline_s: int = variable(
        "START_DEADLINE",
        whole_number(1),
        "86400",
        "Seconds that a job may wait to start, for room or for its image; one that waits "
        "longer is ended with an error.",
    )


def joined(problems: Iterable[str]) -> str:
    """Several problems as one message."""
    return "\n".join(f"- {problem}" for problem in problems)
