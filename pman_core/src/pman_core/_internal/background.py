"""Work that goes on beside the requests, in daemon threads of this process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

#: Seconds after which work that failed is tried again.
PAUSE_S = 5.0


def until_done(
    name: str,
    work: Callable[[], object],
    pause_s: float | Callable[[], float] = PAUSE_S,
) -> threading.Thread:
    """Do ``work`` in a thread of its own, again and again until it returns without an error.

    The same error again and again is one warning: an engine may be down for hours.

    :param pause_s: seconds after which work that failed is tried again, or what says so then.
    """

    def keep_trying() -> None:
        pause = threading.Event()
        reported = ""
        while True:
            try:
                work()
            except Exception as error:
                level = logging.DEBUG if str(error) == reported else logging.WARNING
                log.log(level, "%s was interrupted, and is tried again: %s", name, error)
                reported = str(error)
                pause.wait(pause_s() if callable(pause_s) else pause_s)
            else:
                return

    thread = threading.Thread(target=keep_trying, name=name, daemon=True)
    thread.start()
    return thread
