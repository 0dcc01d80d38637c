"""When a job was last changed through pman, by whichever process of this server.

A process that answers from its job table must not contradict what another one has answered to a
POST, a cancellation or a DELETE. So each of them notes the moment here before it answers. All
processes of one machine have the same monotonic clock.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import time
import zlib
from multiprocessing.reduction import DupFd
from typing import Any

#: How many moments are kept. Jobs whose ids share one are asked for once more than they need be.
_PLACES = 4096
_SIZE = 8 * _PLACES

#: Two processes may note a moment at the same place. A moment is noted that is so much later than
#: now, and again where that took as long: so none that is earlier takes the place of a later one.
_AHEAD_S = 0.002


class Writes:
    """The moments of the last changes, in memory that the processes of a server have in common.

    A process that the server spawns gets the same memory. It has no name, so nothing is left of it.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None:
            descriptor = _nameless_file()
            os.truncate(descriptor, _SIZE)
        self._descriptor = descriptor
        # Of a view of numbers each is read and written at once, not byte by byte.
        self._moments: memoryview[float] = memoryview(mmap.mmap(descriptor, _SIZE)).cast("d")

    def __del__(self) -> None:
        os.close(self._descriptor)

    def __reduce__(self) -> Any:
        return _received, (DupFd(self._descriptor),)

    def note(self, jid: str) -> None:
        """Note that a job has been changed until now, or may have been."""
        place = _place(jid)
        while True:
            moment = time.monotonic() + _AHEAD_S
            self._moments[place] = moment
            if time.monotonic() < moment:
                return

    def last(self, jid: str) -> float:
        """When a job was changed last, or one whose id has the same place; 0.0 for never."""
        return self._moments[_place(jid)]


def _nameless_file() -> int:
    """A new file that is gone with the last process that has it open."""
    if hasattr(os, "memfd_create"):  # of Linux; it needs no folder that can be written
        return os.memfd_create("pman-writes")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _received(descriptor: Any) -> Writes:
    return Writes(descriptor.detach())


def _place(jid: str) -> int:
    return zlib.crc32(jid.encode(errors="surrogatepass")) % _PLACES
