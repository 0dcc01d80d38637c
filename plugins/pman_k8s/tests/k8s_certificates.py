"""Certificates, for servers and clients of tests."""

import ssl
import subprocess
from pathlib import Path

import attrs
import pytest


@attrs.frozen
class Certificate:
    """A certificate that is its own authority, and its key."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """How a server shows it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def certificate(folder: Path, name: str) -> Certificate:
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    names = ["-subj", "/CN=tests", "-addext", f"subjectAltName={name}"]
    files = ["-nodes", "-days", "2", "-keyout", str(made.key), "-out", str(made.certificate)]
    try:
        subprocess.run([*command, *names, *files], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl, which makes the certificates of these tests")
    return made
