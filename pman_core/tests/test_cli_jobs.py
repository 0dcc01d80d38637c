"""``pman serve``, and the commands that talk to it: a real server, and real processes."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tty
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

import pytest
from cli_helpers import install_fake_backends, settings
from click.testing import CliRunner, Result

from pman_core.cli import cli
from pman_core.cli.client import Answer, Client, NoAnswerError, ServerError
from pman_core.cli.wait import Progress

Run = Callable[..., Result]

PMAN = (sys.executable, "-c", "from pman_core.cli import main; main()")


@contextlib.contextmanager
def serving(folder: Path, *options: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server on a free port, and its address."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    environ: Mapping[str, str] = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder / "dist"),
        "HOME": "/nonexistent",
        **settings(folder / "data"),
        **env,
    }
    server = subprocess.Popen(
        [*PMAN, "serve", "--port", "0", *options],
        cwd=work, env=environ, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout
        line = server.stdout.readline()
        found = re.fullmatch(r"pman \S+ serves memory on (http://127\.0\.0\.1:\d+/api/v1/)\n", line)
        assert found, line
        yield server, found[1]
    finally:
        server.terminate()
        server.communicate(timeout=60)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    install_fake_backends(folder / "dist")
    with serving(folder) as (_, url):
        yield url


@pytest.fixture
def pman(url: str) -> Run:
    """Runs a command against the server; the jobs of a test are its own."""

    def run(*args: str, **env: str) -> Result:
        return CliRunner().invoke(cli, args, env={"PMAN_URL": url, **env})

    return run


def submit(pman: Run, *rest: str, **env: str) -> str:
    told = pman(
        "submit", "--image", "demo", "--input-dir", "in", "--output-dir", "out", *rest, **env
    )
    assert told.exit_code == 0, told.output
    return str(told.stdout.removesuffix("\n"))


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_0_and_leaves_nothing_behind(
    tmp_path: Path, sent: signal.Signals
) -> None:
    install_fake_backends(tmp_path / "dist")
    with serving(tmp_path) as (server, _):
        server.send_signal(sent)
        assert server.wait(timeout=60) == 0
    assert list((tmp_path / "work").iterdir()) == []


def test_the_server_in_development_reports_faults_and_answers_2_too(tmp_path: Path) -> None:
    told = subprocess.run(
        [*PMAN, "serve", "--dev", "--port", "0"],
        cwd=tmp_path, env={**settings(tmp_path), "CONTAINER_ENV": "memory", "SHM_SIZE": "-1"},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert told.returncode == 2
    assert "- SHM_SIZE must be" in told.stderr


def test_submit_prints_the_id_and_the_job_gets_the_words_after_the_dashes(pman: Run) -> None:
    jid = submit(pman, "--", "ok", "a  b", "$HOME", "--not-ours", "")
    assert pman("wait", jid).exit_code == 0
    words = ["ok", "a  b", "$HOME", "--not-ours", "", "/share/incoming", "/share/outgoing"]
    assert pman("logs", jid).stdout == f"{words!r}\n"


#: Colours, a forged line, an order to the terminal, marks of direction, and no end of line.
COMMANDS = "\x1b[1;31mred\x1b[0m\rok\r\n\ttab\x1b]0;title\x07 \x9b2J \u202eabc\u2066 é"
HARMLESS = r"\rok" "\r\n\ttab" r"\x1b]0;title\x07 \x9b2J \u202eabc\u2066 é"


def said(pman: Run) -> tuple[str, str]:
    """A job that has said all that; its id, and the line that comes before."""
    jid = submit(pman, "--type", "fs", "--", "say", COMMANDS)
    assert pman("wait", jid).exit_code == 0
    return jid, f"{['say', COMMANDS, '/share/outgoing']!r}\n"


def test_logs_in_a_file_are_exact(pman: Run, url: str, tmp_path: Path) -> None:
    jid, before = said(pman)
    assert pman("logs", jid).stdout_bytes == (before + COMMANDS).encode()
    with (tmp_path / "log").open("wb") as file:
        subprocess.run([*PMAN, "logs", "--url", url, jid], stdout=file, check=True, timeout=60)
    assert (tmp_path / "log").read_bytes() == (before + COMMANDS).encode()


def test_logs_on_a_terminal_show_colours_and_command_nothing(pman: Run, url: str) -> None:
    jid, _ = said(pman)
    ours, theirs = pty.openpty()
    try:
        tty.setraw(theirs)  # what is written is what is read
        subprocess.run(
            [*PMAN, "logs", "--url", url, jid],
            stdout=theirs, check=True, timeout=60, env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
        told = os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert told.endswith("\x1b[1;31mred\x1b[0m" + HARMLESS + "\x1b[0m")


def test_submit_sends_every_option(pman: Run) -> None:
    jid = submit(
        pman, "--jid", "every", "--type", "fs", "--workers", "2", "--cpu", "500", "--memory", "99",
        "--time-limit", "60", "--path-flag=--dir", "--entrypoint", "ok", "--entrypoint", "sub",
        "--auid", "me", "--workdir", "/share/outgoing", "--", "--dir", "x",
    )  # fmt: skip
    assert jid == "every"
    answer = json.loads(pman("status", jid, "--json").stdout)
    assert answer["cmd"] == "ok sub --dir /share/incoming /share/outgoing"


def test_submit_takes_a_variable_from_here_so_that_it_is_on_no_command_line(pman: Run) -> None:
    here = {"TOKEN": "s3cret"}
    jid = submit(pman, "--env", "TOKEN", "--env", "A=b=c", "--", "env", "TOKEN", **here)
    pman("wait", jid)
    assert pman("logs", jid).stdout.endswith("\ns3cret")


def test_submit_without_a_command_says_what_is_missing(pman: Run) -> None:
    told = pman("submit", "--image", "demo", "--input-dir", "in", "--output-dir", "out")
    assert told.exit_code == 2
    assert "say what to run" in told.stderr


def test_all_faults_of_a_request_are_shown_one_per_line(pman: Run) -> None:
    told = pman(
        "submit", "--image", "demo", "--input-dir", "../x", "--output-dir", "o", "--cpu", "0",
        "--", "ok",
    )  # fmt: skip
    assert told.exit_code == 1
    assert "\n- cpu_limit: must be" in told.stderr
    assert "\n- input_dir: must not contain '..'" in told.stderr


def test_wait_says_by_its_exit_code_whether_all_succeeded(pman: Run) -> None:
    good, bad = submit(pman, "--", "ok"), submit(pman, "--", "fail")
    assert pman("wait", good).exit_code == 0
    told = pman("wait", good, bad)
    assert told.exit_code == 1
    assert f"{bad}  finishedWithError: exited with code 3" in told.stdout


def test_wait_gives_up_at_its_timeout_and_the_job_runs_on(pman: Run) -> None:
    jid = submit(pman, "--", "hold")
    told = pman("wait", jid, "--timeout", "0")
    assert told.exit_code == 124
    assert told.stdout == f"{jid}  started: running\n"
    assert told.stderr == f"gave up waiting for {jid}\n"
    assert json.loads(pman("status", jid, "--json").stdout)["status"] == "started"
    pman("rm", jid)


def test_wait_reports_a_job_that_is_not_there_and_the_others(pman: Run) -> None:
    good = submit(pman, "--", "ok")
    told = pman("wait", "nobody", good)
    assert told.exit_code == 1
    assert "nobody  unknown: no job found" in told.stdout
    assert f"{good}  finishedSuccessfully" in told.stdout


class Moody:
    """Stands in for a client: it gives these answers and raises these errors, one by one."""

    def __init__(self, *answers: Answer | ServerError) -> None:
        self._answers = iter(answers)

    def job(self, jid: str) -> Answer:
        answer = next(self._answers)
        if isinstance(answer, ServerError):
            raise answer
        return answer


def test_wait_bears_with_a_pman_that_is_away_for_a_while(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended = {"status": "finishedSuccessfully", "message": "finished"}
    away = NoAnswerError("no pman answers")
    moody = cast(Client, Moody({"status": "started", "message": ""}, away, away, ended))
    progress = Progress(("j",))
    for _ in range(4):
        assert progress.waiting
        progress.ask(moody)
    assert progress.all_succeeded
    assert capsys.readouterr().err == "still trying: no pman answers\n"


def test_wait_does_not_begin_where_no_pman_is() -> None:
    with pytest.raises(NoAnswerError):
        Progress(("j",)).ask(cast(Client, Moody(NoAnswerError("no pman answers"))))


def test_wait_on_a_terminal_keeps_one_line_up_to_date_and_takes_it_away(
    pman: Run, url: str
) -> None:
    held, good = submit(pman, "--", "hold"), submit(pman, "--", "ok")
    ours, theirs = os.openpty()
    waiting = subprocess.Popen(
        [*PMAN, "wait", held, good, "--timeout", "3", "--url", url], stdout=theirs, stderr=theirs
    )
    try:
        os.close(theirs)
        shown = "".join(_read_terminal(ours))
    finally:
        waiting.kill()
        assert waiting.wait() == 124
        os.close(ours)
        pman("rm", held)
    assert "1 started, 1 finishedSuccessfully\x1b[K" in shown
    assert f"\r\x1b[K{good}  finishedSuccessfully: finished" in shown
    assert shown.endswith(f"\r\x1b[Kgave up waiting for {held}\r\n\r\x1b[K")


def _read_terminal(descriptor: int) -> Iterator[str]:
    with contextlib.suppress(OSError):  # Linux's way to say that there is no writer any more
        while data := os.read(descriptor, 65536):
            yield data.decode()


def test_status_shows_what_a_person_wants_to_know(pman: Run) -> None:
    jid = submit(pman, "--", "fail")
    pman("wait", jid)
    shown = dict(
        re.split(r"  +", line, maxsplit=1) for line in pman("status", jid).stdout.splitlines()
    )
    assert shown["status"] == "finishedWithError"
    assert shown["exit code"] == "3"
    assert shown["message"] == "exited with code 3"


def test_status_and_wait_leave_the_logs_alone(pman: Run, url: str) -> None:
    jid = submit(pman, "--", "ok")
    pman("wait", jid)
    assert "logs" not in json.loads(pman("status", jid, "--json").stdout)
    progress = Progress((jid,))
    progress.ask(Client(url))
    assert "logs" not in progress.known[jid]


def test_an_id_that_a_url_would_bend_reaches_its_job(pman: Run) -> None:
    jid = submit(pman, "--jid", "ä %2F?#&x", "--", "ok")
    assert pman("wait", jid).exit_code == 0
    assert pman("rm", jid).stdout == f"{jid}\n"


@pytest.mark.parametrize("jid", ["", ".", "..", "jobs", "a/b"])
@pytest.mark.parametrize("command", ["status", "logs", "cancel", "rm", "wait"])
def test_what_can_be_no_job_is_not_even_asked_for(pman: Run, command: str, jid: str) -> None:
    told = pman(command, jid, PMAN_URL="http://127.0.0.1:1/")
    assert told.exit_code == 2
    assert "a job's id must" in told.stderr


def test_rm_removes_what_it_can_and_reports_the_rest(pman: Run) -> None:
    jid = submit(pman, "--", "hold")
    told = pman("rm", "nobody", jid)
    assert told.exit_code == 1
    assert told.stdout == f"{jid}\n"
    assert "no job found with jid 'nobody'" in told.stderr
    assert pman("status", jid).exit_code == 1


def test_cancel_ends_what_it_can_keeps_it_and_reports_the_rest(pman: Run) -> None:
    jid = submit(pman, "--", "hold")
    told = pman("cancel", "nobody", jid)
    assert told.exit_code == 1
    assert told.stdout == f"{jid}\n"
    assert "no job found with jid 'nobody'" in told.stderr
    assert "cancelled" in pman("status", jid).stdout
    assert pman("cancel", jid).stdout == f"{jid}\n"


def test_ls_lists_the_jobs_of_all_pages(pman: Run) -> None:
    many = {submit(pman, "--jid", f"many-{number}", "--", "ok") for number in range(101)}
    listed = json.loads(pman("ls", "--json").stdout)
    assert many <= {job["jid"] for job in listed}
    assert len(listed) == len({job["jid"] for job in listed})


def test_ls_shows_only_what_is_asked_for(pman: Run) -> None:
    bad = submit(pman, "--", "fail")
    pman("wait", bad)
    table = pman("ls", "--status", "finishedWithError").stdout.splitlines()
    assert table[0].split() == ["JID", "STATUS", "IMAGE", "CREATED", "MESSAGE"]
    assert bad in {line.split()[0] for line in table[1:]}
    assert {line.split()[1] for line in table[1:]} == {"finishedWithError"}
    assert json.loads(pman("ls", "--json", "--label", "no=such").stdout) == []


@pytest.mark.parametrize("tail", ["", "/", "/api/v1", "/api/v1/"])
def test_the_address_is_understood_with_and_without_its_end(pman: Run, url: str, tail: str) -> None:
    told = pman("ls", "--url", url.removesuffix("/api/v1/") + tail)
    assert told.exit_code == 0, told.output


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(pman: Run) -> None:
    assert pman("ls", http_proxy="http://127.0.0.1:1").exit_code == 0


def test_no_server_is_reported_in_words_and_without_a_password(pman: Run) -> None:
    told = pman("ls", "--url", "http://me:hush@127.0.0.1:1")
    assert told.exit_code == 1
    assert told.stderr == (
        "Error: no pman answers at http://127.0.0.1:1; is `pman serve` running there?\n"
    )


def test_an_address_that_is_none_is_reported(pman: Run) -> None:
    told = pman("ls", "--url", "localhost:5010")
    assert told.exit_code == 2
    assert "must be like http://" in told.stderr
