"""Reads the end of a job's log, from its end."""

from __future__ import annotations

import contextlib
import os

from pman_core.kit.log_files import tail_of_files
from pman_kit.job_folder import JobFolder
from pman_kit.layout import LOG, OLD_LOG


def log_end(folder: JobFolder, tail_lines: int, max_bytes: int) -> bytes:
    """The end of a job's log; the rest is not read, however long it is.

    :param tail_lines: at most so many lines.
    :param max_bytes: at most so many bytes.
    :raises OSError: the disk does not answer.
    """
    with contextlib.ExitStack() as files:
        return tail_of_files(_segments(folder, files), tail_lines, max_bytes)


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
