"""Reads the end of the logs that the workers of a job write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pman_core.logs import tail, worker_header

_BLOCK = 1 << 16


def log_end(folder: Path, workers: int, tail_lines: int, max_bytes: int) -> bytes:
    """The last lines, and at most so many bytes, of the log of one worker or of several."""
    if workers == 1:
        return tail(_end(folder, 0, max_bytes), tail_lines, max_bytes)
    if not any((folder / f"log.{worker}").exists() for worker in range(workers)):
        return b""
    parts = (
        part
        for worker in range(workers)
        for part in (worker_header(worker + 1, workers), *_end(folder, worker, max_bytes))
    )
    return tail(parts, tail_lines, max_bytes)


def _end(folder: Path, worker: int, max_bytes: int) -> Iterator[bytes]:
    """The last bytes of one file, and one more: it tells where a line begins."""
    try:
        file = (folder / f"log.{worker}").open("rb")
    except FileNotFoundError:
        return
    with file:
        size = file.seek(0, 2)
        file.seek(max(0, size - max_bytes))
        left = min(size, max_bytes)  # what is written meanwhile is for the next reader
        while left > 0 and (block := file.read(min(left, _BLOCK))):
            left -= len(block)
            yield block
