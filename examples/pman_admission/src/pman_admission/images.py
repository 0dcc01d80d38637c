"""Which images may run. Names are compared as clients write them: what a short one means is a
matter of the engine."""

from __future__ import annotations

import re
from collections.abc import Collection

_DIGEST = re.compile(r"[^@]+@sha256:[0-9a-f]{64}")


def name_of(image: str) -> str:
    """An image without its tag and its digest.

    A colon before the last slash belongs to the port of a registry.
    """
    folders, slash, last = image.partition("@")[0].rpartition("/")
    return folders + slash + last.partition(":")[0]


def is_listed(image: str, allowed: Collection[str]) -> bool:
    """Whether an entry admits an image: by its whole name, or by what it begins with."""
    name = name_of(image)
    return any(name.startswith(one) if one.endswith("/") else name == one for one in allowed)


def has_digest(image: str) -> bool:
    """Whether an image is named with its digest."""
    return bool(_DIGEST.fullmatch(image))
