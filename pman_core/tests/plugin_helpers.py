"""Fake distributions on the path, for what the registry finds."""

from __future__ import annotations

import sys
from pathlib import Path

import attrs
import pytest

BACKEND = """
from pman_core.testing.memory import MemoryBackend as Backend
"""


@attrs.define
class Site:
    """A folder that Python looks for distributions in."""

    folder: Path

    def install(
        self,
        distribution: str,
        module: str,
        code: str | None = BACKEND,
        *,
        backends: str = "",
        extensions: str = "",
        version: str = "1.2.3",
    ) -> None:
        """Install a distribution; its ``backends`` and ``extensions`` are lines of entry points.

        :param code: the text of its module; with ``None`` there is no module.
        """
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text(
            f"[pman.backends]\n{backends}\n\n[pman.extensions]\n{extensions}\n"
        )
        if code is not None:
            (self.folder / f"{module}.py").write_text(code)
        self.modules.add(module)

    modules: set[str] = attrs.field(factory=set)

    def imported(self) -> set[str]:
        """Those of its modules that have been imported."""
        return self.modules & set(sys.modules)


def fake_site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site that holds, besides what is really installed, what a test installs."""
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return Site(folder)
