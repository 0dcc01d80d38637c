"""What the tests of access share: a file of tokens, and the headers that show one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs

from pman_core._internal.tokens import Token, append_token
from pman_core.contract.access import Role

#: A moment that is over, and one that comes.
OVER = datetime(2020, 1, 1, tzinfo=UTC)
TO_COME = datetime.now(UTC) + timedelta(days=1)


@attrs.frozen
class Tokens:
    """A file of tokens, as an operator keeps it."""

    path: Path

    def add(self, name: str, role: Role = Role.SUBMIT, expires: datetime | None = None) -> str:
        """Add a token to the file; returns it."""
        made, line = Token.new(name, role, expires)
        append_token(self.path, line)
        return made

    def revoke(self, name: str) -> None:
        """Delete the lines of a name."""
        lines = self.path.read_text().splitlines(keepends=True)
        self.path.write_text("".join(line for line in lines if line.split()[0] != name))

    def setting(self) -> dict[str, str]:
        """What makes pman use the file."""
        return {"AUTH_TOKENS_FILE": str(self.path)}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(token: str, user: str = "pfcon") -> dict[str, str]:
    pair = base64.b64encode(f"{user}:{token}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}
