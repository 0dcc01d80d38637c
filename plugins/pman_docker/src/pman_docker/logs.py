"""The end of a container's log."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.logs import TailBuffer
from pman_docker.client import Engine
from pman_docker.framing import PIECE

#: How much of a log with a long line is read, where the engine cannot give the end of such a line.
_MOST = 64 * 2**20

#: How much of a log is read whole, where the engine's own tail is not exact. Podman 4.3 gives a log
#: line by line, 4 MB in a second on a busy machine with two cores, and clients poll.
_READ_WHOLE = 8 * 2**20


def log_end(
    engine: Engine, container: str, tail_lines: int, max_bytes: int, *, splits_lines: bool
) -> bytes:
    """The last lines and at most the last so many bytes.

    Podman gives no good end of a log that has very long lines, and Podman 4.3 puts newlines into
    wrong places in the end of any log that was written in blocks. So a log of Podman is read whole
    where it is not too long; the others by their tail.
    """
    if not splits_lines:
        enough = max_bytes if engine.info().exact_tail else max(max_bytes, _READ_WHOLE)
        whole = _whole(engine, container, tail_lines, max_bytes, enough)
        if whole is not None:
            return whole
    pieces = tail_lines + max_bytes // PIECE + 1
    buffer = TailBuffer(tail_lines, max_bytes)
    for piece in engine.log(container, pieces, splits_lines=splits_lines):
        buffer.feed(piece)
    return buffer.value()


def _whole(
    engine: Engine, container: str, tail_lines: int, max_bytes: int, enough: int
) -> bytes | None:
    """The end of a log, read from its begin; ``None`` where it is longer than ``enough`` bytes.

    A log with a line of more than ``max_bytes`` is read on all the same.

    :raises EngineUnavailableError: it is longer than ``_MOST``, too.
    """
    buffer = TailBuffer(tail_lines, max_bytes)
    read = longest = line = 0
    with contextlib.closing(_generator(engine, container)) as pieces:
        for piece in pieces:
            buffer.feed(piece)
            read += len(piece)
            line = len(piece) if b"\n" in piece else line + len(piece)
            longest = max(longest, line)
            if read > enough and longest <= max_bytes:
                return None
            if read > max(max_bytes, _MOST):
                # Asked for the end of it, Podman 4.3 works for minutes, and takes gigabytes.
                raise EngineUnavailableError("a line of the log is too long for Podman to give")
    return buffer.value()


def _generator(engine: Engine, container: str) -> Generator[bytes]:
    yield from engine.log(container, None, splits_lines=False)
