"""What other processes do in tests of what they note for one another."""

from typing import Any

from pman_core._internal.writes import Writes


def note(writes: Writes) -> None:
    """Note one change."""
    writes.note("a")


def note_until(writes: Writes, stop: Any) -> None:
    """Note changes of one job as quickly as possible."""
    while not stop.is_set():
        for _ in range(1000):
            writes.note("a")
