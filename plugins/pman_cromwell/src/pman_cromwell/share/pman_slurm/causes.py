"""Why an image cannot be had, or a container cannot be made (``pman_core.kit.causes``).

pman sends the table with each spec, since this imports nothing of pman.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

from .reasons import IMAGE_NOT_FOUND

#: The reason of a cause that lies in the machine, not in a registry.
MACHINE = "queued"


class Cause(NamedTuple):
    """One row: a pattern for messages of engine and registry, and what they mean."""

    words: str
    is_final: bool
    reason: str
    wording: str


#: Without a table (the spec is that of an older pman) nothing is tried again.
_NO_TABLE = Cause("", True, IMAGE_NOT_FOUND, "the node cannot get it")


def cause_of(table: list[Cause], words: str) -> Cause:
    """The first row that fits."""
    fitting = (row for row in table if re.search(row.words, words, re.IGNORECASE))
    return next(fitting, _NO_TABLE)


def pauses_s() -> Iterator[float]:
    """How long to wait before each new attempt."""
    return itertools.chain((2.0, 4.0, 8.0, 16.0, 32.0), itertools.repeat(60.0))
