"""Restarts the server when code changes, for those who develop pman or a plugin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from socket import socket

from uvicorn import Config, Server
from uvicorn.supervisors.basereload import BaseReload

from pman_core._internal import registry
from pman_core._internal.environment import DOTENV


class Reloader(BaseReload):
    """A process that serves, and is replaced when a file of pman or of a plugin changes.

    uvicorn's own reloaders watch the working directory only, and no .env file.
    """

    def __init__(self, config: Config, listening: socket) -> None:
        super().__init__(config, Server(config).run, [listening])
        self.reloader_name = "pman"
        self._seen = _times()

    def should_restart(self) -> list[Path] | None:
        """The files that have changed since it was last asked; it waits a moment first."""
        self.pause()
        before, self._seen = self._seen, _times()
        return sorted(path for path, _ in before.items() ^ self._seen.items()) or None


def _times() -> Mapping[Path, float]:
    found = {}
    for path in _watched():
        try:
            found[path] = path.stat().st_mtime
        except FileNotFoundError:  # just being replaced, or no .env file
            continue
    return found


def _watched() -> Iterator[Path]:
    yield Path(DOTENV).absolute()
    for folder in _folders():
        yield from folder.rglob("*.py")


def _folders() -> set[Path]:
    """The packages of pman and of all installed plugins."""
    offers = (*registry.installed(registry.BACKENDS), *registry.installed(registry.EXTENSIONS))
    names = {"pman_core", *(offer.entry_point.module.partition(".")[0] for offer in offers)}
    specs = [find_spec(name) for name in names]
    return {
        Path(folder) for spec in specs if spec for folder in spec.submodule_search_locations or ()
    }
