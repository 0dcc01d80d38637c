"""``gunicorn pman.wsgi:application``, in the forms that FNNDSC's image and Helm chart have."""

from __future__ import annotations

import contextlib
import re
import socket
from pathlib import Path

import pytest
import requests
from access_helpers import Tokens
from old_commands import Start
from rest_helpers import body, until

FORMS = {
    "the image": ("--bind", "127.0.0.1:0", "--workers", "8", "--timeout", "20"),
    "the Helm chart": ("-b", "127.0.0.1:0"),
    "loaded before the fork": ("-b", "127.0.0.1:0", "--preload"),
}


@pytest.mark.parametrize("form", FORMS)
def test_gunicorn_serves_pman_and_names_the_new_command(start: Start, form: str) -> None:
    started = start("gunicorn", *FORMS[form], "pman.wsgi:application")
    url = f"http://127.0.0.1:{started.port()}/api/v1/"
    answer = requests.get(url, timeout=60)
    assert (answer.status_code, answer.json()["container_env"]) == (200, "memory")
    # In the form of pman's own log.
    assert re.search(r"\[INFO\] served by gunicorn.* pman serve --host 0.0.0.0", started.said())


def test_a_job_runs_under_gunicorn(start: Start) -> None:
    started = start("gunicorn", "-b", "127.0.0.1:0", "pman.wsgi:application")
    url = f"http://127.0.0.1:{started.port()}/api/v1/"
    wanted = body(jid="old-1", image="demo", entrypoint=["ok"])
    assert requests.post(url, json=wanted, timeout=60).status_code == 201
    job = until(
        lambda: requests.get(f"{url}old-1/", timeout=60).json(),
        lambda seen: "finished" in seen["status"],
    )
    assert job["status"] == "finishedSuccessfully"


def test_gunicorn_serves_those_who_have_a_token(start: Start, tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens")
    token = tokens.add("pfcon")
    started = start("gunicorn", "-b", "127.0.0.1:0", "pman.wsgi:application", **tokens.setting())
    host = f"127.0.0.1:{started.port()}"
    assert requests.get(f"http://{host}/api/v1/", timeout=60).json() == {}
    wanted = body(jid="old-1", image="demo", entrypoint=["ok"])
    assert requests.post(f"http://{host}/api/v1/", json=wanted, timeout=60).status_code == 401
    pfcon = f"http://pfcon:{token}@{host}/api/v1"
    made = requests.post(pfcon, json=wanted, timeout=60)  # by a redirect
    assert (made.status_code, made.json()["owner"]) == (201, "pfcon")
    tokens.revoke("pfcon")
    assert requests.get(f"{pfcon}/jobs/", timeout=60).status_code == 401


def own_address() -> str | None:
    """An address of this machine in a network, if it is in one."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.connect(("192.0.2.1", 9))  # sends nothing
        address: str = found.getsockname()[0]
        return None if address.startswith("127.") else address
    return None


@pytest.mark.skipif(own_address() is None, reason="this machine is in no network")
def test_without_tokens_gunicorn_serves_this_machine_only_whatever_it_listens_on(
    start: Start,
) -> None:
    started = start("gunicorn", "-b", "0.0.0.0:0", "pman.wsgi:application")
    port = started.port()
    for host, code in (("127.0.0.1", 200), (own_address(), 401)):
        answer = requests.get(f"http://{host}:{port}/api/v1/jobs/", timeout=60)
        assert answer.status_code == code
    # No token would help.
    assert "serves its own machine only, since it knows no tokens" in answer.json()["message"]


def test_gunicorn_warns_at_the_start_that_others_are_not_served(
    start: Start, tmp_path: Path
) -> None:
    words = ("gunicorn", "-b", "127.0.0.1:0", "pman.wsgi:application")
    warning = re.compile(
        r"\[WARNING\] no tokens are set up, so pman serves this machine only.*AUTH"
    )
    started = start(*words)
    started.port()
    until(started.said, lambda said: warning.search(said) is not None)
    tokens = Tokens(tmp_path / "tokens")
    tokens.add("pfcon")
    for settings in (tokens.setting(), {"AUTH": "none"}):
        silent = start(*words, **settings)
        until(silent.said, lambda said: "served by gunicorn" in said)
        assert not warning.search(silent.said())


def test_the_arguments_of_the_environment_are_honoured(start: Start) -> None:
    arguments = "--bind=127.0.0.1:0 --workers=4 --timeout=30"
    started = start("gunicorn", "pman.wsgi:application", GUNICORN_CMD_ARGS=arguments)
    url = f"http://127.0.0.1:{started.port()}/api/v1/"
    assert requests.get(url, timeout=60).status_code == 200
    until(lambda: started.said().count("Booting worker"), lambda count: count == 4)


@pytest.mark.parametrize("form", FORMS)
def test_wrong_settings_are_told_once_and_end_it(start: Start, form: str) -> None:
    started = start(
        "gunicorn", *FORMS[form], "pman.wsgi:application", JOB_LOGS_TAIL="x", SHM_SIZE="much"
    )
    assert started.exit_code() == 4
    said = started.said()
    assert said.count("JOB_LOGS_TAIL must be") == said.count("SHM_SIZE must be") == 1
    assert "Traceback" not in said
