"""Escapes the one character that Kubernetes interprets in ``command`` and ``env``.

Kubernetes replaces ``$(NAME)`` by a variable, and ``$$`` by ``$``: API reference of Container,
fields command and env.value.
"""

from __future__ import annotations


def escaped(word: str) -> str:
    """``word`` so that the container gets it as it is."""
    return word.replace("$", "$$")


def unescaped(word: str) -> str:
    """What :func:`escaped` was given."""
    return word.replace("$$", "$")
