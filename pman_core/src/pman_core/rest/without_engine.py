"""Marks routes that never wait for an engine: they have threads of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

View = TypeVar("View", bound=Callable[..., object])


def without_engine(view: View) -> View:
    """Say that a view asks nothing of the engine, so that an engine that hangs cannot delay it."""
    view.without_engine = True  # type: ignore[attr-defined]
    return view


def asks_no_engine(view: Callable[..., object]) -> bool:
    """Whether a view has been marked so."""
    return getattr(view, "without_engine", False)
