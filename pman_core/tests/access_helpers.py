"""What the tests of access share: a file of tokens, and the headers that show one."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import attrs

from pman_core._internal.tokens import Token, append_token
from pman_core.contract.access import Role
from pman_core.server.asgi import Application

#: A moment that is over, and one that comes.
OVER = datetime(2020, 1, 1, tzinfo=UTC)
TO_COME = datetime.now(UTC) + timedelta(days=1)


@attrs.define
class Clock:
    """A clock that a test turns."""

    now: float = 1_000_000.3

    def __call__(self) -> float:
        return self.now


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


@attrs.frozen
class Answer:
    """What an ASGI application answered."""

    status: int
    headers: list[tuple[str, str]]
    content: bytes
    read_body: bool


async def ask(
    application: Application,
    method: str,
    path: str,
    headers: Mapping[str, str],
    content: bytes = b"",
    address: str = "127.0.0.1",
) -> Answer:
    """Send one request as ``pman serve`` hands it to its application."""
    plain, _, query = path.partition("?")
    lines = [(name.lower(), value) for name, value in headers.items()]
    lines.append(("content-length", str(len(content))))
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": unquote(plain),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin1")) for name, value in lines],
        "client": (address, 12345),
        "server": ("127.0.0.1", 5010),
        "scheme": "http",
    }
    sent: list[Any] = []
    received: list[bytes] = []

    async def receive() -> dict[str, Any]:
        received.append(content)
        return {"type": "http.request", "body": content}

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return Answer(
        sent[0]["status"],
        [(name.decode(), value.decode()) for name, value in sent[0]["headers"]],
        b"".join(message.get("body", b"") for message in sent[1:]),
        bool(received),
    )
