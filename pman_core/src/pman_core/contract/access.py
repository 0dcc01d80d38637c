"""Who asks pman, and what they may do."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import attrs


class Role(enum.StrEnum):
    """What a principal may do; each role may do what the ones before it may."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Whether this role may do what ``other`` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@attrs.frozen
class Principal:
    """Somebody whom pman knows.

    :param name: the owner of the jobs that this principal submits; empty for pman itself, and for
        everybody where no authentication is set up. Their jobs have no owner.
    :param role: what this principal may do.
    """

    name: str
    role: Role


#: pman itself, and everybody where no authentication is set up.
UNRESTRICTED = Principal("", Role.ADMIN)


@attrs.frozen
class Client:
    """What a request shows of who sent it.

    :param headers: by lower-case name; values of a header that came twice are joined with a comma.
    :param address: from which address the connection comes; ``None`` if it is not known. Behind a
        proxy that is the proxy's.
    :param certificate: the certificate that the client proved to have, as
        :meth:`ssl.SSLSocket.getpeercert` describes it. ``None`` without one, and always where
        another server than ``pman serve`` serves pman.
    """

    headers: Mapping[str, str] = attrs.field(repr=False)
    address: str | None = None
    certificate: Mapping[str, Any] | None = None
