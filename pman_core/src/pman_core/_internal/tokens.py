"""The file of tokens: a line for each, with the SHA-256 of the token and never the token itself.

::

    # name   role    SHA-256 of the token       valid until
    pfcon    submit  2c26b46b68ffc68ff99b...    2027-12-31T00:00:00+00:00
    monitor  read    fcde2b2edba56bf40860...

A token has 256 random bits, so nobody can guess one from its digest, and a digest that is made in a
microsecond is enough.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import attrs

from pman_core.contract.access import Principal, Role
from pman_core.contract.errors import SettingsError

log = logging.getLogger(__name__)

#: What a name may be: it is one word of a line, and the owner of jobs.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")

_DIGEST = re.compile(r"[0-9a-f]{64}")

#: Begins each token, so that a scanner for secrets finds one that was published by mistake.
_PREFIX = "pman_"

#: Rights of others to the file, and the right of the group to change it.
_TOO_OPEN = 0o027


@attrs.frozen
class Token:
    """One line of the file.

    :param expires: when it ceases to be valid; ``None``: never.
    """

    principal: Principal
    digest: str
    expires: datetime | None = None

    @classmethod
    def new(cls, name: str, role: Role, expires: datetime | None) -> tuple[str, Token]:
        """A new token, and its line of the file.

        :raises ValueError: there can be no token of that name.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"must be 1 to 63 letters, digits and ._@-, not {name!r}")
        made = _PREFIX + secrets.token_urlsafe(32)
        return made, cls(Principal(name, role), _digest(made), expires)

    @classmethod
    def read(cls, line: str) -> Token:
        """The token that a line describes.

        :raises ValueError: none; the message quotes no digest.
        """
        words = line.split()
        if len(words) not in (3, 4):
            raise ValueError("must have a name, a role, a SHA-256 and, at most, a time")
        name, role, digest, *until = words
        if not _NAME.fullmatch(name):
            raise ValueError("must begin with a name: 1 to 63 letters, digits and ._@-")
        if role not in list(Role):
            raise ValueError(f"must have a role second: {', '.join(Role)}")
        if not _DIGEST.fullmatch(digest):
            raise ValueError("must have the SHA-256 of the token third: 64 digits from 0 to f")
        expires = parse_time(until[0]) if until else None
        return cls(Principal(name, Role(role)), digest, expires)

    def __str__(self) -> str:
        words = [self.principal.name, self.principal.role.value, self.digest]
        return " ".join([*words, self.expires.isoformat()] if self.expires else words)

    @property
    def is_expired(self) -> bool:
        """Whether it is not valid any more."""
        return self.expires is not None and datetime.now(UTC) >= self.expires


def parse_time(text: str) -> datetime:
    """A date or a time in ISO 8601; in UTC if it names no time zone.

    :raises ValueError: it is neither.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must end with a date or a time, like 2027-12-31") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class TokenFile:
    """The tokens of a file, which is read again whenever it has changed.

    :raises SettingsError: it cannot be used, with one sentence for each fault.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen = _state(path)
        self.tokens = read_tokens(path)

    def principal(self, token: str) -> Principal | None:
        """Whose token that is; ``None`` if it is none, or not valid any more."""
        self._read_again_if_changed()
        digest = _digest(token)
        # Each one is compared, so that the time does not tell which came near.
        found = [one for one in self.tokens if hmac.compare_digest(one.digest, digest)]
        return next((one.principal for one in found if not one.is_expired), None)

    def _read_again_if_changed(self) -> None:
        """A file that cannot be used changes nothing: a slip of the operator locks nobody out."""
        with self._lock:  # a slow reader would bring back what has been revoked since
            state = _state(self._path)
            if state == self._seen:
                return
            self._seen = state
            try:
                self.tokens = read_tokens(self._path)
            except SettingsError as error:
                log.error("the tokens stay as they were; the change cannot be used: %s", error)
            else:
                log.info("the tokens of %s were read again: %d", self._path, len(self.tokens))


def read_tokens(path: Path) -> tuple[Token, ...]:
    """The tokens of a file.

    :raises SettingsError: it cannot be used, with one sentence for each fault.
    """
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not written in UTF-8"
        raise SettingsError(
            [
                f"AUTH_TOKENS_FILE: {path} cannot be read ({reason}); "
                "`pman token new NAME` makes such a file"
            ]
        ) from error
    if mode & _TOO_OPEN:
        raise SettingsError(
            [f"AUTH_TOKENS_FILE: others may read or change {path}; run chmod 600 {path}"]
        )
    problems: list[str] = []
    tokens = list(_tokens(lines, path, problems))
    if problems:
        raise SettingsError(problems)
    return tuple(tokens)


def append_token(path: Path, token: Token) -> None:
    """Add a line to the file, which only its owner may read if it is new.

    :raises SettingsError: the file cannot be used as it is.
    :raises OSError: it cannot be written.
    """
    if path.exists():
        read_tokens(path)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(file).st_size
        is_ended = size == 0 or os.pread(file, 1, size - 1) == b"\n"
        os.write(file, f"{token}\n".encode() if is_ended else f"\n{token}\n".encode())
        os.fsync(file)
    finally:
        os.close(file)


def _tokens(lines: list[str], path: Path, problems: list[str]) -> Iterator[Token]:
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                token = Token.read(line)
                first = seen.setdefault(token.digest, number)
                if first != number:
                    raise ValueError(f"has the token of line {first} again; delete one of them")
                yield token
            except ValueError as error:
                problems.append(f"AUTH_TOKENS_FILE: line {number} of {path} {error}")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def _state(path: Path) -> tuple[int, ...] | None:
    """What changes with the file, its rights included; ``None`` if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
