"""Keeps the end of a log while it streams by, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable


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


def tail_of_workers(
    read: Callable[[int, int, int], Iterable[bytes]],
    workers: int,
    tail_lines: int,
    max_bytes: int,
) -> bytes:
    """The ends of the logs of all workers of a job, one after the other.

    Where there are several, each stands under its :func:`worker_header` and has an equal share of
    the lines and bytes, so that one that writes much does not hide the others.

    :param read: gives the log of one worker; it is called with the worker's index, from 0, and
        with how many lines and bytes of the end are wanted, and may give more.
    :param workers: how many there are.
    :param tail_lines: how many lines to keep, headers included.
    :param max_bytes: how many bytes to keep, headers included.
    """
    if workers == 1:
        return tail(read(0, tail_lines, max_bytes), tail_lines, max_bytes)
    whole = TailBuffer(tail_lines, max_bytes)
    for index in range(workers):
        header = worker_header(index + 1, workers)
        lines = max(1, tail_lines // workers - 1)
        size = max(1, max_bytes // workers - len(header) - 1)
        log = tail(read(index, lines, size), lines, size)
        # The next header begins a line of its own.
        broken = bool(log) and not log.endswith(b"\n") and index + 1 < workers
        whole.feed(header + log + b"\n" * broken)
    return whole.value()


def worker_header(index: int, total: int) -> bytes:
    """The line above the log of one worker, where a job has several."""
    return f"==> worker {index} of {total} <==\n".encode()
