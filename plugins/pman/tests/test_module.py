"""``python -m pman``, which FNNDSC's Compose files have."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import requests
from access_helpers import Tokens, bearer
from old_commands import Start
from rest_helpers import until


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def test_alone_it_serves_on_every_network_at_port(start: Start) -> None:
    port = free_port()
    started = start("pman", PORT=str(port), AUTH="none")
    until(started.said, lambda said: "/api/v1/" in said)
    assert f"serves memory on http://0.0.0.0:{port}/api/v1/" in started.said()
    assert "pman serve --host 0.0.0.0" in started.said()
    answer = requests.get(f"http://127.0.0.1:{port}/api/v1/", timeout=60)
    assert answer.json()["container_env"] == "memory"


def test_alone_and_without_tokens_it_says_what_it_needs_to_serve_a_network(start: Start) -> None:
    started = start("pman", PORT="0")
    assert started.exit_code() == 2
    assert "AUTH_TOKENS_FILE" in started.said()
    assert "AUTH=none" in started.said()


def test_alone_it_serves_a_network_to_those_who_have_a_token(start: Start, tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens")
    token = tokens.add("pfcon")
    started = start("pman", PORT="0", **tokens.setting())
    url = f"http://127.0.0.1:{started.port()}/api/v1/jobs/"
    assert requests.get(url, timeout=60).status_code == 401
    assert requests.get(url, headers=bearer(token), timeout=60).status_code == 200


def test_the_arguments_of_gunicorn_are_told_to_have_no_effect(start: Start) -> None:
    started = start("pman", PORT="0", GUNICORN_CMD_ARGS="--workers=4", AUTH="none")
    until(started.said, lambda said: "/api/v1/" in said)
    assert "GUNICORN_CMD_ARGS has no effect" in started.said()


def test_with_arguments_it_is_the_command_pman(start: Start) -> None:
    started = start("pman", "--version")
    assert started.exit_code() == 0
    assert re.fullmatch(r"pman \S+\n", started.said())


def test_wrong_settings_are_told_with_exit_code_2(start: Start) -> None:
    started = start("pman", PORT="0", JOB_LOGS_TAIL="x")
    assert started.exit_code() == 2
    assert "JOB_LOGS_TAIL must be" in started.said()
    assert "Traceback" not in started.said()
