"""Reads the answers that the engine gives piece by piece.

The SDK's own readers take the time-outs off such answers.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable, Iterator
from typing import Any

#: Of each frame of a log: stream, three bytes of nothing, length.
_HEADER = struct.Struct(">BxxxL")

#: What Docker writes before the content of each frame, if it is asked for timestamps.
_TIMESTAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d) ")

#: Docker splits a long line into pieces of this size, and counts each for a line.
PIECE = 16384


def frames(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Stream and content of each frame, from a log of a container without a terminal.

    A log that breaks off in a frame is read that far.
    """
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= _HEADER.size:
            stream, length = _HEADER.unpack_from(held)
            end = _HEADER.size + length
            if len(held) < end:
                break
            yield stream, bytes(held[_HEADER.size : end])
            del held[:end]
    if len(held) > _HEADER.size:
        yield held[0], bytes(held[_HEADER.size :])


def contents(frames: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    """What stdout and stderr hold, where the frames hold just that, as Podman's do."""
    for _, content in frames:
        yield content


def rejoined(frames: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    """What stdout and stderr hold, from Docker's frames with timestamps.

    Docker splits a line of at least ``PIECE`` bytes into pieces of that size and a shorter last
    one, and 20.10 (log driver local) gives all of them without a newline. So a shorter one has
    lost its newline if its stream goes on. An empty one, which is given with timestamps only,
    has lost it in any case; any other at the end of its stream may never have had one.
    """
    lost: dict[int, bool] = {}  # by stream: whether a newline is missing if it goes on
    for stream, frame in frames:
        stamp = _TIMESTAMP.match(frame)
        # Docker's own words, on what keeps it from reading on, have no timestamp.
        piece = frame[stamp.end() :] or b"\n" if stamp else frame
        if lost.get(stream):
            yield b"\n"
        lost[stream] = len(piece) < PIECE and not piece.endswith(b"\n")
        yield piece


def news(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The messages of an answer that reports progress."""
    for line in lines:
        if line.strip():
            yield json.loads(line)
