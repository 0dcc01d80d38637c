"""``CONTAINER_USER``: whom jobs run as, with ranges to draw from."""

from __future__ import annotations

import hashlib
import re

import attrs

from pman_core.contract.job import User

#: The highest id that Linux takes: 2^32 - 1 means "no id" to chown(2).
_MOST = 2**32 - 2


@attrs.frozen
class IdRange:
    """Numeric ids from ``low`` to ``high``, both included."""

    low: int
    high: int

    def pick(self, seed: str) -> int:
        """One id; the same seed always picks the same one."""
        digest = hashlib.sha256(seed.encode()).digest()
        return self.low + int.from_bytes(digest[:8], "big") % (self.high - self.low + 1)


@attrs.frozen
class UserRule:
    """The users that jobs may run as."""

    uids: IdRange | None
    gids: IdRange | None

    def for_job(self, jid: str) -> User | None:
        """The user of one job. It derives from the id, so that a retry gets the same one."""
        if self.uids is None and self.gids is None:
            return None
        return User(
            uid=self.uids.pick(f"uid/{jid}") if self.uids else None,
            gid=self.gids.pick(f"gid/{jid}") if self.gids else None,
        )


def parse_user(value: str) -> UserRule:
    """Read ``UID:GID``; each part is a number, a range ``low-high``, or empty.

    ``:`` is no user at all: it is what ``"${UID}:${GID}"`` becomes where neither is set.

    :raises ValueError: says what the form must be.
    """
    uid, separator, gid = value.strip().partition(":")
    if not separator:
        raise ValueError("must be UID:GID, each a number, a range like 1000-2000, or empty")
    return UserRule(_parse_range(uid), _parse_range(gid))


def _parse_range(part: str) -> IdRange | None:
    if not part:
        return None
    found = re.fullmatch(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", part)
    if not found:
        raise ValueError("must be UID:GID, each a number, a range like 1000-2000, or empty")
    low = int(found[1])
    high = int(found[2] or low)
    if not low <= high <= _MOST:
        raise ValueError(f"must have ranges that rise, with ids up to {_MOST}")
    return IdRange(low, high)
