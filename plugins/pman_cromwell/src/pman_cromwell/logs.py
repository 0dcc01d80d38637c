"""The end of the logs that the workers of a job write."""

from __future__ import annotations

import os
from pathlib import Path

from pman_core.kit.log_files import tail_of_path
from pman_core.kit.logs import tail_of_workers


def log_end(folder: Path, workers: int, tail_lines: int, max_bytes: int) -> bytes:
    """The last lines, and at most so many bytes, of the log of one worker or of several."""
    files = [folder / f"log.{worker}" for worker in range(workers)]
    if not any(os.path.lexists(file) for file in files):
        return b""
    return tail_of_workers(
        lambda index, lines, size: [tail_of_path(files[index], lines, size)],
        workers,
        tail_lines,
        max_bytes,
    )
