"""Times as engines write them."""

from __future__ import annotations

from datetime import UTC, datetime

#: The year in which engines put what has not happened (Go's zero time).
_NEVER = 1


def parsed_time(text: str | None) -> datetime | None:
    """A time of RFC 3339, in UTC; ``None`` if there is none, or none yet (``0001-01-01``).

    Engines write up to nine digits of a second; what is finer than microseconds is dropped.

    :raises ValueError: the text is no time, or has no time zone.
    """
    if not text:
        return None
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"the time {text!r} has no time zone")
    return None if time.year == _NEVER else time.astimezone(UTC)


def not_before(earliest: datetime | None, time: datetime | None) -> datetime | None:
    """The later of two times; the other where one is ``None``.

    The times of a job come from several clocks, of which one may be behind another.
    """
    if earliest is None or time is None:
        return time or earliest
    return max(earliest, time)
