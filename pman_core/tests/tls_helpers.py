"""Certificates for the tests of TLS: real ones, of authorities that a test makes."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import attrs
import trustme

from pman_core.server.tls import TlsFiles

HOST = "127.0.0.1"


def write(path: Path, *pems: trustme.Blob) -> None:
    """Replace a file at once, as a tool that renews certificates does."""
    new = path.with_suffix(".new")
    new.write_bytes(b"".join(pem.bytes() for pem in pems))
    os.replace(new, path)


@attrs.define(slots=False)
class Site:
    """A server's certificate and key as files, and the authorities of server and clients."""

    folder: Path
    servers: trustme.CA = attrs.field(factory=trustme.CA)
    clients: trustme.CA = attrs.field(factory=trustme.CA)
    foreign: trustme.CA = attrs.field(factory=trustme.CA)

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir()
        self.renew()
        write(self.folder / "server-ca.pem", self.servers.cert_pem)
        self.trust_clients_of(self.clients)

    def renew(self) -> None:
        """Replace the server's certificate and its key."""
        made = self.servers.issue_cert(HOST, "localhost")
        write(self.folder / "key.pem", made.private_key_pem)
        write(self.folder / "cert.pem", *made.cert_chain_pems)

    def trust_clients_of(self, authority: trustme.CA) -> None:
        """Replace the authority of clients."""
        write(self.folder / "client-ca.pem", authority.cert_pem)

    @property
    def files(self) -> TlsFiles:
        """What makes a server serve any client."""
        return TlsFiles(str(self.folder / "cert.pem"), str(self.folder / "key.pem"))

    @property
    def strict(self) -> TlsFiles:
        """What makes it serve only clients with a certificate."""
        return attrs.evolve(self.files, client_ca=str(self.folder / "client-ca.pem"))

    @property
    def bundle(self) -> str:
        """The file of the server's authority, for clients."""
        return str(self.folder / "server-ca.pem")

    @cached_property
    def of_client(self) -> str:
        """The file with a client's certificate and key."""
        return self.client_file("alice@example.org", self.clients)

    def client_file(self, name: str, authority: trustme.CA, *, expired: bool = False) -> str:
        """The same of any authority."""
        path = self.folder / f"{name}-{authority.cert_pem.bytes()[40:48].hex()}-{expired}.pem"
        over = datetime.now(UTC) - timedelta(days=1) if expired else None
        made = authority.issue_cert(name, common_name=name, not_after=over)
        write(path, made.private_key_and_cert_chain_pem)
        return str(path)


def options(files: TlsFiles) -> list[str]:
    """Those of ``pman serve``."""
    given = {
        "--tls-cert": files.certificate,
        "--tls-key": files.key,
        "--tls-client-ca": files.client_ca,
    }
    return [word for name, value in given.items() if value for word in (name, value)]


class Caller:
    """A client with TLS as OpenSSL has it: it keeps sessions, and shows the server's certificate.

    :param version: the only version that it speaks.
    """

    def __init__(
        self,
        site: Site,
        certificate: str | None = None,
        version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ) -> None:
        self._context = ssl.create_default_context(cafile=site.bundle)
        self._context.minimum_version = self._context.maximum_version = version
        if certificate:
            self._context.load_cert_chain(certificate)

    def connect(self, port: int, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        """A connection whose handshake this side takes for done."""
        raw = socket.create_connection((HOST, port), timeout=20)
        return self._context.wrap_socket(raw, server_hostname=HOST, session=session)

    def get(
        self, port: int, path: str = "/healthz", session: ssl.SSLSession | None = None
    ) -> ssl.SSLSession | None:
        """Ask once; the session, or ``None`` if the server has hung up instead of answering."""
        try:
            with self.connect(port, session) as connection:
                get(connection, path)
                return connection.session
        except (ssl.SSLError, ConnectionError, http.client.BadStatusLine):
            return None


def get(connection: ssl.SSLSocket, path: str = "/healthz") -> int:
    """Send one request on a connection; the status of the answer, which is read whole."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    with http.client.HTTPResponse(connection) as answer:
        answer.begin()
        answer.read()
        return answer.status


def serial_of(connection: ssl.SSLSocket) -> object:
    """Which certificate the server shows on a connection."""
    return (connection.getpeercert() or {})["serialNumber"]
