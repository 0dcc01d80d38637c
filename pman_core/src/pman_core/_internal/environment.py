"""The variables that pman starts with, and where each of them came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values

from pman_core.contract.errors import SettingsError

DOTENV = ".env"


class Environment(Mapping[str, str]):
    """Variables of the process, and under them those of a ``.env`` file."""

    def __init__(self, process: Mapping[str, str], dotenv: Mapping[str, str]) -> None:
        self._process = dict(process)
        self._merged = {**dotenv, **process}

    def __getitem__(self, name: str) -> str:
        return self._merged[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._merged)

    def __len__(self) -> int:
        return len(self._merged)

    def origin(self, name: str) -> str:
        """``environment``, ``.env`` or ``default``."""
        if self._process.get(name):
            return "environment"
        return DOTENV if self._merged.get(name) else "default"


def read_environment(process: Mapping[str, str], folder: Path) -> Environment:
    """The variables of the process and of the ``.env`` file in ``folder``, if there is one.

    Values in the file are taken as they are: ``$`` has no meaning there. A variable that
    the process sets, even to nothing, wins.

    :raises SettingsError: the file cannot be read.
    """
    try:
        found = dotenv_values(folder / DOTENV, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{folder / DOTENV} cannot be read: {error}"]) from error
    return Environment(process, {name: value for name, value in found.items() if value})
