"""The one character that Kubernetes interprets in ``command`` and in the values of ``env``.

``$(NAME)`` is replaced by a variable, ``$$`` by ``$``: API reference of Container, fields command
and env.value.
"""

from __future__ import annotations


def escaped(word: str) -> str:
    """``word`` such that it arrives as it is."""
    return word.replace("$", "$$")


def unescaped(word: str) -> str:
    """What :func:`escaped` was given."""
    return word.replace("$$", "$")
