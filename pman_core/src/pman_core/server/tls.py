"""The certificate of the server, and those of clients."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Self

import attrs

from pman_core.contract.errors import SettingsError

log = logging.getLogger(__name__)


@attrs.frozen
class TlsFiles:
    """What ``pman serve`` was given for TLS.

    :param certificate: of the server, with the chain that leads to its authority, in PEM.
    :param key: of the certificate; ``None`` where it is in the same file.
    :param client_ca: the authorities whose clients are served; ``None``: every client is.
    """

    certificate: str
    key: str | None = None
    client_ca: str | None = None

    def context(self) -> ssl.SSLContext:
        """A context that reads the files again once they have changed, for new connections.

        Connections that exist go on as they are.

        :raises SettingsError: the files cannot be used.
        """
        return _Renewing(self)

    def read(self) -> ssl.SSLContext:
        """A context of the files as they are now.

        :raises SettingsError: they cannot be used.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        for option, path in (
            ("--tls-cert", self.certificate),
            ("--tls-key", self.key),
            ("--tls-client-ca", self.client_ca),
        ):
            if path:
                _insist_on_readable(option, path)
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except (OSError, ValueError) as error:
            pair = f"{self.certificate} and {self.key or 'the key in it'}"
            raise SettingsError(
                [
                    f"--tls-cert and --tls-key: {pair} cannot be used together: {_reason(error)}; "
                    "both must be in PEM, the key without a password"
                ]
            ) from error
        if self.client_ca:
            try:
                context.load_verify_locations(self.client_ca)
            except (OSError, ValueError) as error:
                raise SettingsError(
                    [f"--tls-client-ca: {self.client_ca} cannot be used: {_reason(error)}"]
                ) from error
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def state(self) -> tuple[tuple[int, ...] | None, ...]:
        """What changes with the files."""
        return tuple(_state(path) for path in (self.certificate, self.key, self.client_ca) if path)


class _Renewing(ssl.SSLContext):
    """Gives each connection a context of the files as they are then.

    A context of its own, and not other settings of the same one: that would keep the keys of its
    session tickets, with which clients are let in whose authority has been taken away since.
    """

    def __new__(cls, files: TlsFiles) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._seen = files.state()
        self._current = files.read()

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a connection; asyncio calls this."""
        self._read_again_if_changed()
        return self._current.wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def _read_again_if_changed(self) -> None:
        """Files that cannot be used change nothing: they may just be being replaced."""
        state = self._files.state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self._current = self._files.read()
        except SettingsError as error:
            log.error("the certificates stay as they were: %s", error)
        else:
            log.info("the certificates were read again")


def _insist_on_readable(option: str, path: str) -> None:
    """:raises SettingsError: the file cannot be read."""
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise SettingsError([f"{option}: {path} cannot be read: {error.strerror}"]) from error


def _no_password() -> str:
    """OpenSSL would ask a person for it, at a terminal where nobody sits."""
    raise ValueError("the key is protected by a password")


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


def _state(path: str) -> tuple[int, ...] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)
