"""Keeps text from being expanded: Swarm takes some fields of a service for Go templates."""

from __future__ import annotations

#: A template that expands to two opening braces.
_BRACES = '{{"{{"}}'


def escaped(text: str) -> str:
    """Text that expands to ``text``."""
    return text.replace("{{", _BRACES)


def unescaped(text: str) -> str:
    """What :func:`escaped` was given."""
    return text.replace(_BRACES, "{{")
