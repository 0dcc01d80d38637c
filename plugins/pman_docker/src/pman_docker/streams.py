"""Reads the answers that the engine gives piece by piece.

The SDK's own readers take the time-outs off such answers.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any

#: Of each frame of a log: stream, three bytes of nothing, length.
_HEADER = struct.Struct(">BxxxL")

#: Docker splits a long line into pieces of this size, and counts each for a line.
PIECE = 16384


def frames(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What stdout and stderr hold, from a log of a container without a terminal.

    Docker 20.10 (log driver local) loses the newline of a line that it had to split; it is put
    back where the stream goes on. A log that breaks off in a frame is read that far.
    """
    held = bytearray()
    split: dict[int, bool] = {}  # by stream: whether its line goes on in the next frame
    lost: dict[int, bool] = {}  # by stream: whether a newline is missing at its end
    for chunk in chunks:
        held += chunk
        while len(held) >= _HEADER.size:
            stream, length = _HEADER.unpack_from(held)
            end = _HEADER.size + length
            if len(held) < end:
                break
            piece = bytes(held[_HEADER.size : end])
            del held[:end]
            if lost.get(stream):
                yield b"\n"
            open_ended = not piece.endswith(b"\n")
            lost[stream] = split.get(stream, False) and open_ended and length != PIECE
            split[stream] = open_ended and length == PIECE
            yield piece
    yield bytes(held[_HEADER.size :])


def news(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The messages of an answer that tells of progress."""
    for line in lines:
        if line.strip():
            yield json.loads(line)
