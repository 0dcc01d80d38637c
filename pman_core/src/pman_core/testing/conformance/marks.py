"""Says which deviation changes a conformance test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pman_core.contract.capabilities import Deviation

Test = TypeVar("Test", bound=Callable[..., None])

#: The attribute of a test that holds its deviation.
WEAKENED_BY = "pman_weakened_by"


def weakened_by(deviation: Deviation) -> Callable[[Test], Test]:
    """Mark the one test that ``deviation`` changes."""

    def mark(test: Test) -> Test:
        setattr(test, WEAKENED_BY, deviation)
        return test

    return mark
