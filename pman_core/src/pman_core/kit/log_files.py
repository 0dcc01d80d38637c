"""The end of a log that lies in files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from pman_core.kit.logs import tail

_BLOCK = 1 << 16


def tail_of_files(files: Sequence[int], tail_lines: int, max_bytes: int) -> bytes:
    """The last lines of a log, and at most its last so many bytes; no more is read.

    :param files: the open files of the log, the newest first. A log that is cut has several.
    :param tail_lines: how many lines to keep, counted from the end.
    :param max_bytes: how many bytes to keep, counted from the end.
    """
    blocks: list[bytes] = []
    lines = held = 0
    for block in _backwards(files):
        blocks.append(block)
        lines += block.count(b"\n")
        held += len(block)
        if lines > tail_lines or held >= max_bytes:
            break
    return tail(reversed(blocks), tail_lines, max_bytes)


def tail_of_path(path: str | os.PathLike[str], tail_lines: int, max_bytes: int) -> bytes:
    """The same of one file, by its name; nothing where it is not there.

    :raises OSError: it is a link, which is never followed, or cannot be read.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        return tail_of_files([file], tail_lines, max_bytes)
    finally:
        os.close(file)


def _backwards(files: Sequence[int]) -> Iterator[bytes]:
    for file in files:
        end = os.fstat(file).st_size  # what is written meanwhile is for the next reader
        while end > 0:
            begin = max(0, end - _BLOCK)
            yield os.pread(file, end - begin, begin)
            end = begin
