"""The commands that talk to a pman that asks who they are, and what the others say of access."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from access_helpers import OVER, Tokens
from cli_helpers import install_fake_backends, settings
from click.testing import CliRunner, Result
from rest_helpers import Service
from server_helpers import serving
from tls_helpers import Site

from pman_core._internal import authentication
from pman_core.cli import cli
from pman_core.contract.access import Role

Run = Callable[..., Result]

#: Every command that asks a running pman.
ASKING = {
    "submit": ("submit", "--image", "x", "--input-dir", "in", "--output-dir", "out", "--", "x"),
    "status": ("status", "j"),
    "logs": ("logs", "j"),
    "ls": ("ls",),
    "wait": ("wait", "j"),
    "cancel": ("cancel", "j"),
    "rm": ("rm", "j"),
}


#: An answer that makes no command ask again.
ENDED = json.dumps({"jid": "j", "status": "finishedSuccessfully", "jobs": [], "logs": ""}).encode()


@contextlib.contextmanager
def listening(status: int, **headers: str) -> Iterator[tuple[str, list[str | None]]]:
    """A server that answers all requests alike; its address, and the credentials that it got."""
    got: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            got.append(self.headers["Authorization"])
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value.replace("PATH", self.path))
            self.send_header("Content-Length", str(len(ENDED)))
            self.end_headers()
            self.wfile.write(ENDED)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api/v1/", got
        finally:
            server.shutdown()
            thread.join()


def run(*args: str, **env: str | None) -> Result:
    return CliRunner().invoke(cli, args, env=env)


# ------------------------------------------------------------------------- PMAN_TOKEN


@pytest.mark.parametrize("command", ASKING)
def test_each_command_sends_the_token(command: str) -> None:
    with listening(200) as (url, got):
        run(*ASKING[command], PMAN_URL=url, PMAN_TOKEN="hush")  # noqa: S106
    assert got
    assert set(got) == {"Bearer hush"}


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_none_is_sent(token: str | None) -> None:
    with listening(200) as (url, got):
        run("ls", PMAN_URL=url, PMAN_TOKEN=token)
    assert got == [None]


def test_the_token_is_preferred_to_that_of_an_address() -> None:
    with listening(200) as (url, got):
        run("ls", PMAN_URL=url.replace("//", "//me:other@"), PMAN_TOKEN="hush")  # noqa: S106
    assert got == ["Bearer hush"]


@pytest.mark.parametrize("command", ASKING)
def test_no_redirect_carries_the_token_to_another_server(command: str) -> None:
    with (
        listening(200) as (other, stolen),
        listening(307, Location=other.replace("127.0.0.1", "localhost")) as (url, got),
    ):
        run(*ASKING[command], PMAN_URL=url, PMAN_TOKEN="hush", NO_PROXY="localhost")  # noqa: S106
    assert set(got) == {"Bearer hush"}
    assert stolen
    assert set(stolen) == {None}


@pytest.mark.parametrize("command", ASKING)
@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_no_command_shows_the_token(command: str, status: int) -> None:
    with listening(status) as (url, _):
        told = run(*ASKING[command], PMAN_URL=url, PMAN_TOKEN="hush")  # noqa: S106
    assert told.exit_code != 0
    assert "hush" not in told.output
    assert "hush" not in str(told.exception)


@pytest.mark.parametrize("token", ["a\nb", "hüsh€", "\u202e", "a b\r\n"])
def test_a_token_that_no_header_can_hold_is_one_line_that_does_not_show_it(token: str) -> None:
    with listening(200) as (url, got):
        told = run("ls", PMAN_URL=url, PMAN_TOKEN=token)
    assert told.exit_code == 1
    assert "PMAN_TOKEN" in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert token not in told.output
    assert got == []


# ------------------------------------------------------------------------- a real pman


@pytest.mark.parametrize("command", ASKING)
@pytest.mark.parametrize("shown", [None, "wrong"])
def test_who_is_not_known_is_told_to_set_the_token(
    start: Callable[..., Service], tokens: Tokens, command: str, shown: str | None
) -> None:
    tokens.add("pfcon")
    with serving(start(**tokens.setting()).app) as (_, port):
        url = f"http://127.0.0.1:{port}/api/v1/"
        told = run(*ASKING[command], PMAN_URL=url, PMAN_TOKEN=shown)
    assert told.exit_code == 1
    assert f"{url} needs a valid token: set PMAN_TOKEN\n" in told.output
    assert len(told.output.splitlines()) == 1


def test_who_is_on_another_machine_than_a_pman_without_tokens_is_not_told_to_set_one(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "is_loopback", lambda address: False)
    with serving(service.app) as (_, port):
        told = run("ls", PMAN_URL=f"http://127.0.0.1:{port}/")
    assert told.exit_code == 1
    assert "serves its own machine only" in told.stderr
    assert "PMAN_TOKEN" not in told.stderr


def test_a_role_that_does_not_do_is_told_as_pman_says_it(
    start: Callable[..., Service], tokens: Tokens
) -> None:
    token = tokens.add("monitor", Role.READ)
    with serving(start(**tokens.setting()).app) as (_, port):
        told = run(*ASKING["rm"], PMAN_URL=f"http://127.0.0.1:{port}/", PMAN_TOKEN=token)
        listed = run("ls", PMAN_URL=f"http://127.0.0.1:{port}/", PMAN_TOKEN=token)
    assert listed.exit_code == 0
    assert told.exit_code == 1
    assert "monitor has the role read; this needs the role submit" in told.stderr


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_private_authority_is_trusted_as_requests_is_told_to_also_on_this_machine(
    service: Service, tmp_path: Path, name: str
) -> None:
    site = Site(tmp_path / "tls")
    nothing = dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    with serving(service.app, tls=site.files) as (_, port):
        url = f"https://127.0.0.1:{port}/api/v1/"
        known = run("ls", PMAN_URL=url, **{**nothing, name: site.bundle})
        unknown = run("ls", PMAN_URL=url, **nothing)
    assert known.exit_code == 0, known.output
    assert unknown.exit_code == 1
    assert "certificate" in unknown.stderr
    assert "REQUESTS_CA_BUNDLE" in unknown.stderr
    assert "is `pman serve` running there?" not in unknown.stderr


# ------------------------------------------------------------------------- for operators


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command of operators, with the settings of a pman that can start."""
    monkeypatch.syspath_prepend(install_fake_backends(tmp_path / "dist"))
    monkeypatch.delitem(sys.modules, "fake_backend", raising=False)
    monkeypatch.chdir(tmp_path)

    def begin(*args: str, **env: str) -> Result:
        return run(*args, **{**settings(tmp_path / "data"), **env})

    return begin


@pytest.mark.parametrize(
    "words",
    [
        ("--enableTokenAuth",),
        ("--enableTokenAuth", "--tokenPath", "/etc/tokens"),
        ("--tokenPath=/etc/tokens", "--rawmode", "1"),
    ],
    ids=" ".join,
)
def test_the_options_of_pman_3_are_told_what_replaces_them(words: tuple[str, ...]) -> None:
    told = run(*words)
    assert told.exit_code == 2
    assert words[0].partition("=")[0] in told.output
    assert "pman token new NAME" in told.output
    assert "AUTH_TOKENS_FILE" in told.output


def test_config_shows_where_the_tokens_are_and_no_token(here: Run, tokens: Tokens) -> None:
    token = tokens.add("pfcon")
    for options in ((), ("--json",)):
        told = here("config", *options, **tokens.setting(), PMAN_TOKEN=token)
        assert told.exit_code == 0
        assert str(tokens.path) in told.output
        assert token not in told.output
        assert tokens.path.read_text().split()[2] not in told.output
    shown = {one["name"]: one["value"] for one in json.loads(told.output)["settings"]}
    assert shown["AUTH_TOKENS_FILE"] == str(tokens.path)
    assert shown["JOBS_VISIBLE_TO"] == "all"
    assert "PMAN_TOKEN" not in shown


def test_config_and_check_answer_2_for_tokens_that_pman_would_not_take(
    here: Run, tokens: Tokens
) -> None:
    token = tokens.add("pfcon")
    tokens.path.chmod(0o644)
    for command in ("config", "check"):
        told = here(command, **tokens.setting())
        assert told.exit_code == 2
        assert f"chmod 600 {tokens.path}" in told.output
        assert token not in told.output


def access(here: Run, **env: str) -> list[str]:
    """What ``pman check`` says of access."""
    lines = [line.split(maxsplit=2) for line in here("check", **env).stdout.splitlines()]
    return [f"{kind} {rest}" for kind, subject, rest in lines if subject == "access:"]


def test_check_says_who_may_use_this_pman(here: Run, tokens: Tokens) -> None:
    (told,) = access(here)
    assert told.startswith("ok no tokens are set up, so pman serves this machine only")
    assert access(here, AUTH="none") == ["note AUTH=none: whoever reaches pman may do everything"]
    (told,) = access(here, **tokens.setting())
    assert told.startswith("note no token is valid")
    tokens.add("old", expires=OVER)
    assert access(here, **tokens.setting())[1:] == ["note tokens of old have expired"]
    tokens.add("pfcon")
    tokens.add("boss", Role.ADMIN)
    assert access(here, **tokens.setting()) == [
        "ok tokens of pfcon (submit), boss (admin)",
        "note tokens of old have expired",
    ]
