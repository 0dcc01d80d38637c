"""Keeps the end of a log while it streams by, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable


class TailBuffer:
    """The last lines of a stream of bytes, and at most its last so many bytes.

    However long the log is, no more than twice ``max_bytes`` and one chunk are held.

    :param tail_lines: how many lines to keep, counted from the end.
    :param max_bytes: how many bytes to keep, counted from the end.
    :raises ValueError: one of them is below 1.
    """

    def __init__(self, tail_lines: int, max_bytes: int) -> None:
        if tail_lines < 1 or max_bytes < 1:
            raise ValueError(f"cannot keep {tail_lines} lines and {max_bytes} bytes: at least 1")
        self._tail_lines = tail_lines
        self._max_bytes = max_bytes
        self._held = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Add the next piece of the stream; where it is cut does not matter."""
        self._held += chunk
        # Cutting only now and then keeps the cost of each byte constant.
        if len(self._held) > 2 * self._max_bytes:
            del self._held[: -self._max_bytes]

    def value(self) -> bytes:
        """The end of what has been fed so far."""
        end = bytes(self._held[-self._max_bytes :])
        cut = len(end) - 1 if end.endswith(b"\n") else len(end)
        for _ in range(self._tail_lines):
            cut = end.rfind(b"\n", 0, cut)
            if cut < 0:
                return end
        return end[cut + 1 :]


def tail(chunks: Iterable[bytes], tail_lines: int, max_bytes: int) -> bytes:
    """The end of the stream that ``chunks`` make up; see :class:`TailBuffer`."""
    buffer = TailBuffer(tail_lines, max_bytes)
    for chunk in chunks:
        buffer.feed(chunk)
    return buffer.value()


def worker_header(index: int, total: int) -> bytes:
    """The line above the log of one worker, where a job has several."""
    return f"==> worker {index} of {total} <==\n".encode()
