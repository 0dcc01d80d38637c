"""How long a request may still take, for whatever is asked for it.

The server bounds each request when it arrives. A client of an engine gives each question the
seconds that :func:`left` says, so that several questions together take no longer than one.
Outside of requests (``pman check``, work in threads of its own) each question has its whole time.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

#: On the monotonic clock; ``None`` outside of requests.
_ends: ContextVar[float | None] = ContextVar("pman_request_ends", default=None)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bound all that this thread or task asks of engines from here on, in all."""
    token = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


def left(seconds: float) -> float:
    """So many seconds, or those that the request has left where these are fewer.

    :raises TimeoutError: it has none left.
    """
    ends = _ends.get()
    if ends is None:
        return seconds
    remaining = ends - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("the time of this request was over before the engine could be asked")
    return min(seconds, remaining)
