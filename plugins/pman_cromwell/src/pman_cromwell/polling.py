"""Waits for what Cromwell or a node does a moment later."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE_S = 0.1


def until(look: Callable[[], T], timeout_s: float) -> T:
    """Look again until there is something, within the time-out; what was seen last."""
    deadline = time.monotonic() + timeout_s
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    return seen
