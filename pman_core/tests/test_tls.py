"""``pman serve --tls-cert``: who is served, and certificates that are renewed while pman runs."""

from __future__ import annotations

import contextlib
import logging
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from access_helpers import Tokens, bearer
from rest_helpers import URL, Service, body, until
from server_helpers import POST, Start, port_of, send, serving
from tls_helpers import HOST, Caller, Site, get, options, serial_of, write

from pman_core import hookimpl
from pman_core.contract.access import Client, Principal, Role
from pman_core.contract.errors import SettingsError
from pman_core.server.tls import TlsFiles

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "tls")


class Certificates:
    """Knows clients by their certificates, and notes what it was shown."""

    def __init__(self) -> None:
        self.shown: list[Any] = []

    @hookimpl
    def pman_authenticate(self, client: Client) -> Principal | None:
        self.shown.append(client.certificate)
        subject = [pair for part in (client.certificate or {}).get("subject", ()) for pair in part]
        names = [value for key, value in subject if key == "commonName"]
        return Principal(names[0], Role.SUBMIT) if names else None


@pytest.fixture
def known() -> Certificates:
    return Certificates()


@pytest.fixture
def strict(start: Callable[..., Service], site: Site, known: Certificates) -> Iterator[int]:
    """The port of a server that serves only clients with a certificate."""
    with serving(start(extensions=(known,)).app, tls=site.strict) as (_, port):
        yield port


@pytest.fixture
def served(service: Service, site: Site) -> Iterator[int]:
    """The port of a server that serves any client."""
    with serving(service.app, tls=site.files) as (_, port):
        yield port


def session(site: Site, certificate: str | None = None) -> requests.Session:
    made = requests.Session()
    made.trust_env, made.verify, made.cert = False, site.bundle, certificate
    return made


# ------------------------------------------------------------------------- who is served


def test_a_client_that_trusts_the_authority_is_served(served: int, site: Site) -> None:
    with session(site) as client:
        found = client.post(f"https://{HOST}:{served}{URL}", json=body(), timeout=20)
        assert found.status_code == 201
        client.verify = True
        with pytest.raises(requests.exceptions.SSLError):
            client.get(f"https://{HOST}:{served}/healthz", timeout=20)


@pytest.mark.parametrize("version", VERSIONS)
def test_both_versions_of_tls_are_spoken(served: int, site: Site, version: ssl.TLSVersion) -> None:
    assert Caller(site, version=version).get(served)


def test_a_client_without_tls_gets_nothing(served: int) -> None:
    with contextlib.suppress(ConnectionError), send(served, b"GET /healthz HTTP/1.1\r\n\r\n") as c:
        assert b"alive" not in c.recv(1000)


def test_handshakes_that_stall_do_not_keep_others_from_being_served(
    served: int, site: Site
) -> None:
    with contextlib.ExitStack() as stack:
        for data in (b"", b"\x16", b"\x16\x03\x01\x02\x00") * 10:
            stack.enter_context(send(served, data))
        for _ in range(5):
            assert Caller(site).get(served)


def test_a_large_body_that_is_refused_early_is_refused_in_words_through_tls_too(
    served: int, site: Site
) -> None:
    with Caller(site).connect(served) as connection:
        connection.sendall(POST + b"Content-Length: 999999999\r\n\r\n{")
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_redirect_stays_with_https(served: int, site: Site) -> None:
    with session(site) as client:
        found = client.get(f"https://{HOST}:{served}/api/v1", allow_redirects=False, timeout=20)
    assert (found.status_code, found.headers["Location"][:8]) == (308, "https://")


# ------------------------------------------------------------------------- clients' certificates


def test_a_client_without_the_right_certificate_gets_no_further_than_the_handshake(
    strict: int, site: Site, known: Certificates
) -> None:
    wrong = [
        None,
        site.client_file("alice@example.org", site.foreign),
        site.client_file("alice@example.org", site.servers),
        site.client_file("alice@example.org", site.clients, expired=True),
    ]
    for version in VERSIONS:
        for certificate in wrong:
            caller = Caller(site, certificate, version)
            assert caller.get(strict, f"{URL}jobs/") is None
            assert caller.get(strict) is None, "of what is open, too"
    assert known.shown == []
    for version in VERSIONS:
        assert Caller(site, site.of_client, version).get(strict, f"{URL}jobs/")
    assert len(known.shown) == 2


def test_the_certificate_reaches_the_extensions_that_authenticate(
    strict: int, site: Site, known: Certificates
) -> None:
    with session(site, site.of_client) as client:
        found = client.post(f"https://{HOST}:{strict}{URL}", json=body(), timeout=20)
        assert (found.status_code, found.json()["owner"]) == (201, "alice@example.org")
        client.get(f"https://{HOST}:{strict}{URL}jobs/", timeout=20)
    assert len(known.shown) == 2, "of each request on a connection"
    assert known.shown[0] == known.shown[1]
    assert known.shown[0]["subjectAltName"] == (("email", "alice@example.org"),)


def test_without_an_authority_of_clients_no_certificate_is_believed(
    start: Callable[..., Service], site: Site, known: Certificates
) -> None:
    with (
        serving(start(extensions=(known,)).app, tls=site.files) as (_, port),
        session(site, site.client_file("alice@example.org", site.foreign)) as client,
    ):
        found = client.get(f"https://{HOST}:{port}{URL}jobs/", timeout=20)
    assert (found.status_code, known.shown) == (401, [None])


def test_a_certificate_alone_is_no_token(
    start: Callable[..., Service], site: Site, tokens: Tokens
) -> None:
    token = tokens.add("pfcon")
    with (
        serving(start(**tokens.setting()).app, tls=site.strict) as (_, port),
        session(site, site.of_client) as client,
    ):
        url = f"https://{HOST}:{port}{URL}jobs/"
        assert client.get(url, timeout=20).status_code == 401
        assert client.get(url, headers=bearer(token), timeout=20).status_code == 200


# ------------------------------------------------------------------------- renewal


def test_new_connections_get_the_new_certificate_and_open_ones_go_on(
    served: int, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caller = Caller(site)
    with caller.connect(served) as old, caplog.at_level(logging.INFO):
        assert get(old) == 200
        site.renew()
        with caller.connect(served) as new, caller.connect(served) as newer:
            assert get(new) == 200
            assert serial_of(new) == serial_of(newer) != serial_of(old)
        assert get(old) == 200
    assert caplog.messages.count("the certificates were read again") == 1


def no_certificate(site: Site) -> None:
    (site.folder / "cert.pem").write_text("nonsense")


def no_file(site: Site) -> None:
    (site.folder / "cert.pem").unlink()


def key_of_another(site: Site) -> None:
    write(site.folder / "key.pem", site.foreign.issue_cert(HOST).private_key_pem)


def no_authority(site: Site) -> None:
    (site.folder / "client-ca.pem").write_text("")


@pytest.mark.parametrize("slip", [no_certificate, no_file, key_of_another, no_authority])
def test_broken_files_change_nothing_and_are_logged_once(
    strict: int, site: Site, caplog: pytest.LogCaptureFixture, slip: Callable[[Site], None]
) -> None:
    caller = Caller(site, site.of_client)
    key = (site.folder / "key.pem").read_text()
    with caller.connect(strict) as connection:
        before = serial_of(connection)
    slip(site)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            with caller.connect(strict) as connection:
                assert serial_of(connection) == before
                assert get(connection) == 200
        assert Caller(site).get(strict) is None
    (told,) = [line for line in caplog.messages if "certificates" in line]
    assert told.startswith("the certificates stay as they were: --tls-")
    assert key.splitlines()[1] not in told
    site.renew()
    site.trust_clients_of(site.clients)
    with caller.connect(strict) as connection:
        assert serial_of(connection) != before


@pytest.mark.parametrize("version", VERSIONS)
def test_a_replaced_authority_of_clients_is_in_force_for_those_too_who_were_here_before(
    strict: int, site: Site, version: ssl.TLSVersion
) -> None:
    """The session of an earlier connection must not let them in again."""
    old = Caller(site, site.of_client, version)
    new = Caller(site, site.client_file("bob@example.org", site.foreign), version)
    kept = old.get(strict)
    assert kept
    assert new.get(strict) is None
    site.trust_clients_of(site.foreign)
    assert new.get(strict)
    assert old.get(strict) is None
    assert old.get(strict, session=kept) is None


@pytest.mark.parametrize("options_of_serve", [(), ("--workers", "2"), ("--dev",)])
def test_each_process_of_pman_serve_renews_its_certificates(
    pman_serve: Start, site: Site, options_of_serve: tuple[str, ...]
) -> None:
    port = port_of(pman_serve(*options(site.strict), *options_of_serve))
    caller = Caller(site, site.of_client)
    until(lambda: caller.get(port), bool)

    def serials() -> set[object]:
        found = set()
        for _ in range(20):
            with caller.connect(port) as connection:
                assert get(connection) == 200
                found.add(serial_of(connection))
        return found

    (before,) = serials()
    site.renew()
    (after,) = serials()
    assert before != after
    site.trust_clients_of(site.foreign)
    assert {caller.get(port) for _ in range(20)} == {None}


def test_an_idle_client_does_not_keep_pman_serve_from_ending(pman_serve: Start, site: Site) -> None:
    """With TLS a connection ends when both sides have said so, and this one says nothing."""
    process = pman_serve(*options(site.files), ENGINE_TIMEOUT="90")
    port = port_of(process)
    caller = Caller(site)
    until(lambda: caller.get(port), bool)
    with caller.connect(port) as idle:
        assert get(idle) == 200
        process.terminate()
        assert process.wait(20) == 0
    assert process.communicate() == ("", "")


def test_pman_serve_says_https(pman_serve: Start, site: Site) -> None:
    process = pman_serve(*options(site.files))
    assert process.stdout
    assert " on https://127.0.0.1:" in process.stdout.readline()


# ------------------------------------------------------------------------- pfcon


def test_pfcon_works_with_a_private_authority_and_the_token_in_its_address(
    pman_serve: Start, site: Site, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As requests finds the authority: pfcon names none in its calls."""
    token = tokens.add("pfcon")
    port = port_of(pman_serve(*options(site.files), **tokens.setting()))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", site.bundle)
    monkeypatch.setenv("NO_PROXY", HOST)
    url = f"https://pfcon:{token}@{HOST}:{port}/api/v1/"
    wanted = body(image="demo", entrypoint=["hold"])
    made = requests.post(url.rstrip("/"), json=wanted, timeout=100)
    assert ([one.status_code for one in made.history], made.status_code) == ([308], 201)
    assert requests.get(f"{url}chris-jid-1", timeout=100).json()["owner"] == "pfcon"
    assert requests.delete(f"{url}chris-jid-1/", timeout=100).status_code == 204
    assert requests.get(url.replace(token, "x") + "jobs/", timeout=100).status_code == 401


# ------------------------------------------------------------------------- files that are wrong


def problem(files: TlsFiles) -> str:
    with pytest.raises(SettingsError) as caught:
        files.context()
    (found,) = caught.value.problems
    return found


def test_files_that_cannot_be_used_are_named_with_their_option(site: Site) -> None:
    files, none = site.strict, str(site.folder / "none.pem")
    key = str(site.folder / "key.pem")
    wrong = {
        "--tls-cert: ": {"certificate": none},
        "--tls-key: ": {"key": none},
        "--tls-client-ca: ": {"client_ca": none},
        "--tls-cert and --tls-key: ": {"certificate": key},
    }
    for words, changes in wrong.items():
        told = problem(TlsFiles(**{**_fields(files), **changes}))
        assert told.startswith(words)
        assert next(iter(changes.values())) in told
    key_of_another(site)
    assert "cannot be used together" in problem(files)
    site.renew()
    no_authority(site)
    assert problem(files).startswith("--tls-client-ca: ")
    assert problem(TlsFiles(str(site.folder), None)).startswith("--tls-cert: ")


def _fields(files: TlsFiles) -> dict[str, Any]:
    return {"certificate": files.certificate, "key": files.key, "client_ca": files.client_ca}


def test_the_key_may_be_in_the_file_of_the_certificate(site: Site) -> None:
    both = site.folder / "both.pem"
    both.write_bytes(
        (site.folder / "key.pem").read_bytes() + (site.folder / "cert.pem").read_bytes()
    )
    assert TlsFiles(str(both)).context()


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(site: Site) -> None:
    from cryptography.hazmat.primitives import serialization

    path = site.folder / "key.pem"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hush"),
        )
    )
    assert "protected by a password" in problem(site.files)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--tls-key", "x"), "mean nothing without --tls-cert"),
        (("--tls-client-ca", "x"), "mean nothing without --tls-cert"),
        (("--tls-cert", "/nonexistent"), "--tls-cert: /nonexistent cannot be read"),
        (("--tls-cert", "/nonexistent", "--workers", "2"), "--tls-cert: /nonexistent cannot be"),
        (("--tls-cert", "/nonexistent", "--dev"), "--tls-cert: /nonexistent cannot be read"),
    ],
)
def test_pman_serve_answers_2_and_serves_nothing_if_its_options_are_wrong(
    pman_serve: Start, given: tuple[str, ...], words: str
) -> None:
    process = pman_serve(*given)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert words in err
    assert "Traceback" not in err
