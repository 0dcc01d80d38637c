"""The kit for authors of plugins: the conformance class, and a backend to learn from."""

from typing import Any

__all__ = ["BackendConformance", "MemoryBackend", "MemoryEngine", "Subject"]


def __getattr__(name: str) -> Any:
    """Import a part of the kit when it is asked for: only tests need pytest."""
    if name in ("BackendConformance", "Subject"):
        from pman_core.testing import conformance

        return getattr(conformance, name)
    if name == "MemoryBackend":
        from pman_core.testing.memory import MemoryBackend

        return MemoryBackend
    if name == "MemoryEngine":
        from pman_core.testing.memory_engine import MemoryEngine

        return MemoryEngine
    raise AttributeError(name)
