"""Marks of routes, for the views of a blueprint that ``pman_routes`` returns.

A mark stands below the decorator that registers the view::

    @blueprint.get("/status-page")
    @open_to_all
    def status_page() -> str: ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

View = TypeVar("View", bound=Callable[..., object])


def open_to_all(view: View) -> View:
    """Serve a view to everybody, with and without credentials; every other one needs them.

    In such a view it is known who asks if that is shown by a token of pman's own. Extensions that
    authenticate are not asked, so that what they depend on cannot delay it.
    """
    view.open_to_all = True  # type: ignore[attr-defined]
    return view


def is_open_to_all(view: Callable[..., object]) -> bool:
    """Whether a view has been marked so."""
    return getattr(view, "open_to_all", False)


def without_engine(view: View) -> View:
    """Say that a view asks nothing of the engine, so that an engine that hangs cannot delay it."""
    view.without_engine = True  # type: ignore[attr-defined]
    return view


def asks_no_engine(view: Callable[..., object]) -> bool:
    """Whether a view has been marked so."""
    return getattr(view, "without_engine", False)
