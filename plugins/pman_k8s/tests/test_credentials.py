"""Tokens are read again in time, wherever they come from."""

import sys
from pathlib import Path

import pytest
from k8s_certificates import Certificate
from k8s_standin import VERSION, Answer, Request, ask, said, standin, yes

from pman_k8s.backend import KubernetesBackend

#: A program that gives tokens which have expired, each with a number.
LOGIN = """
import json, pathlib, sys
count = pathlib.Path(sys.argv[1])
with count.open("a") as file:
    file.write("x")
token = "token-" + str(len(count.read_text()))
status = {"token": token, "expirationTimestamp": "2020-01-01T00:00:00Z"}
api = "client.authentication.k8s.io/v1"
print(json.dumps({"kind": "ExecCredential", "apiVersion": api, "status": status}))
"""


def test_a_token_that_a_program_gives_is_asked_for_again_when_it_has_expired(
    tmp_path: Path,
) -> None:
    """Such are the commands of cloud providers."""
    program = tmp_path / "login.py"
    program.write_text(LOGIN)
    login = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(program), str(tmp_path / "count")],
        "interactiveMode": "Never",
    }
    with standin(tmp_path, yes, user={"exec": login}) as server:
        pman = KubernetesBackend(server.environ())
        ask(pman)
        ask(pman)
        first, second = (int(asked.authorization.partition("token-")[2]) for asked in server.asked)
        assert first < second


def test_a_token_file_is_read_again_when_the_server_refuses_its_token(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")

    def answer(request: Request) -> Answer:
        valid = request.authorization == f"Bearer {token.read_text()}"
        return VERSION if valid else said(401, "Unauthorized")

    with standin(tmp_path, answer, user={"tokenFile": str(token)}) as server:
        pman = KubernetesBackend(server.environ())
        ask(pman)
        token.write_text("second")
        ask(pman)
        given = [asked.authorization for asked in server.asked]
        assert given == ["Bearer first", "Bearer first", "Bearer second"]


def test_inside_of_a_cluster_a_renewed_token_is_used_at_once(
    tmp_path: Path, addressed: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kubelet renews it after some time, and the old one expires."""
    token = tmp_path / "token"
    token.write_text("first")
    monkeypatch.setattr("pman_k8s.connection.SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr("pman_k8s.connection.SERVICE_CERT_FILENAME", str(addressed.certificate))
    with standin(tmp_path, yes, tls=addressed.context()) as server:
        host, port = server.address.removeprefix("https://").split(":")
        environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        pman = KubernetesBackend(environ)
        ask(pman)
        token.write_text("second, and longer")
        ask(pman)
        given = [asked.authorization.lower() for asked in server.asked]
        assert given == ["bearer first", "bearer second, and longer"]
