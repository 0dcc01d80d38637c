"""Times of the API: RFC 3339 in UTC, whole seconds, in some fields microseconds."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(text: str | None) -> datetime | None:
    """A time of the API; ``None`` if it never came."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
