"""Waits until Cromwell or a node has done something."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE_S = 0.1


def until(look: Callable[[], T], timeout_s: float) -> T:
    """Look again until the result is true, or the time is over; returns the last result.

    :param timeout_s: how long, in seconds.
    """
    deadline = time.monotonic() + timeout_s
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    return seen
