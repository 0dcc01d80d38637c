"""What the settings of plugins on this kit have in common: the place of the store, and the
environment that jobs get of pman's own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path


def state_folder(configured: str | None, environ: Mapping[str, str], name: str) -> Path:
    """Where the store is: where the operator says, or else where a user's programs keep state.

    :param configured: the plugin's own setting, if it is set.
    :param environ: pman's environment.
    :param name: the last part of the path, if nothing is configured.
    """
    if configured:
        return Path(configured)
    home = environ.get("HOME") or Path("~").expanduser()
    return Path(environ.get("XDG_STATE_HOME") or Path(home, ".local/state"), name)


def base_environment(names: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of pman's own environment that every job gets; a ``PATH`` in any case.

    :param names: which ones; a variable that is not set is left out.
    """
    chosen = {name: environ[name] for name in names if name in environ}
    return {"PATH": os.defpath, **chosen}
