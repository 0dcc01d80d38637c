"""Reads the end of a job's log, from its end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from pman_core.kit.logs import tail
from pman_kit.job_folder import JobFolder
from pman_kit.layout import LOG, OLD_LOG

_BLOCK = 1 << 16


def log_end(folder: JobFolder, tail_lines: int, max_bytes: int) -> bytes:
    """The end of a job's log; the rest is not read, however long it is.

    :param tail_lines: at most so many lines.
    :param max_bytes: at most so many bytes.
    :raises OSError: the disk does not answer.
    """
    blocks: list[bytes] = []
    lines = held = 0
    with contextlib.ExitStack() as files:
        for block in _backwards(_segments(folder, files)):
            blocks.append(block)
            lines += block.count(b"\n")
            held += len(block)
            if lines > tail_lines or held >= max_bytes:
                break
    return tail(reversed(blocks), tail_lines, max_bytes)


def _segments(folder: JobFolder, files: contextlib.ExitStack) -> list[int]:
    """The open files of the log, the newest first."""
    found: list[int] = []
    for name in (LOG, OLD_LOG):
        with contextlib.suppress(FileNotFoundError):
            file = os.open(name, os.O_RDONLY, dir_fd=folder.fd)
            files.callback(os.close, file)
            # The first may have become the second one meanwhile.
            if not any(os.path.sameopenfile(file, other) for other in found):
                found.append(file)
    return found


def _backwards(segments: list[int]) -> Iterator[bytes]:
    for file in segments:
        end = os.fstat(file).st_size
        while end > 0:
            begin = max(0, end - _BLOCK)
            yield os.pread(file, end - begin, begin)
            end = begin
