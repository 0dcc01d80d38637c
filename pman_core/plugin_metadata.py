"""Completes what a plugin of this repository says of itself: the version, and its bounds.

All distributions have the version of ``pman_core/pyproject.toml``.  A plugin lists what it needs
under ``[tool.pman]`` of its own ``pyproject.toml``; another distribution of this repository stands
there without bounds, and gets these: from this version to the next major one.  An sdist holds the
outcome in ``PKG-INFO``: there hatchling wants this file, and does not call it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class PmanMetadataHook(MetadataHookInterface):
    """Sets ``version``, ``dependencies`` and ``optional-dependencies``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the fields to the ``[project]`` table of the plugin in the folder ``root``."""
        core = Path(__file__).resolve().parent  # plugins have links to this file
        version: str = _read(core)["project"]["version"]
        bounds = f">={version},<{int(version.partition('.')[0]) + 1}"

        def bounded(needs: list[str]) -> list[str]:
            return [need + bounds if need.startswith("pman-") else need for need in needs]

        needs = _read(Path(self.root))["tool"]["pman"]
        metadata["version"] = version
        metadata["dependencies"] = bounded(needs["dependencies"])
        if extras := needs.get("optional-dependencies"):
            metadata["optional-dependencies"] = {
                name: bounded(extra) for name, extra in extras.items()
            }


def _read(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
