"""Reads the end of the logs that the workers of a job write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pman_core.kit.logs import tail_of_workers

_BLOCK = 1 << 16


def log_end(folder: Path, workers: int, tail_lines: int, max_bytes: int) -> bytes:
    """The last lines, and at most so many bytes, of the log of one worker or of several."""
    files = [folder / f"log.{worker}" for worker in range(workers)]
    if not any(os.path.lexists(file) for file in files):
        return b""
    return tail_of_workers(
        lambda index, _lines, size: _end(files[index], size), workers, tail_lines, max_bytes
    )


def _end(path: Path, max_bytes: int) -> Iterator[bytes]:
    """The last bytes of one file."""
    try:
        # Never what a link in its place leads to.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    with open(handle, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - max_bytes))
        left = min(size, max_bytes)  # what is written meanwhile is for the next reader
        while left > 0 and (block := file.read(min(left, _BLOCK))):
            left -= len(block)
            yield block
