"""The kit for authors of plugins: the conformance class, and a backend to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pman_core.testing.memory import MemoryBackend
from pman_core.testing.memory_engine import MemoryEngine

if TYPE_CHECKING:
    from pman_core.testing.conformance import BackendConformance, Subject

__all__ = ["BackendConformance", "MemoryBackend", "MemoryEngine", "Subject"]


def __getattr__(name: str) -> Any:
    """Import what needs pytest only when it is asked for: a server has no pytest."""
    if name in ("BackendConformance", "Subject"):
        from pman_core.testing import conformance

        return getattr(conformance, name)
    raise AttributeError(name)
