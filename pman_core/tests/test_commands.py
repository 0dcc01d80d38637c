"""Commands of an engine answer, or their failure is the engine's."""

import os
import select
import signal
import sys
from pathlib import Path

import pytest

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit import deadline
from pman_core.kit.commands import Answer, run_command

ECHO = "import sys; sys.stdout.write(sys.stdin.read()); sys.stderr.write('err'); sys.exit(3)"


def test_a_command_answers_with_code_output_and_errors() -> None:
    answer = run_command([sys.executable, "-c", ECHO], 30, input_text="in")
    assert answer == Answer(3, "in", "err")


def test_a_command_has_only_the_environment_that_it_is_given() -> None:
    answer = run_command(["/usr/bin/env"], 30, environ={"A": "b"})
    assert answer.output == "A=b\n"


def test_output_that_is_no_text_does_no_harm() -> None:
    answer = run_command([sys.executable, "-c", "import os; os.write(1, b'\\xff')"], 30)
    assert answer.output == "\N{REPLACEMENT CHARACTER}"


def test_a_command_that_is_missing_is_an_engine_that_cannot_be_reached() -> None:
    with pytest.raises(EngineUnavailableError, match="no-such-command cannot be run"):
        run_command(["/nowhere/no-such-command", "--password=secret"], 30)


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(EngineUnavailableError, match=r"sh did not answer within 0\.5 s"):
            run_command(["/bin/sh", "-c", f"echo >{fifo}; sleep 60 >{fifo} & wait"], 0.5)
        assert os.read(reader, 1) == b"\n"  # the command has run
        assert select.select([reader], [], [], 30)[0]  # a killed process may take a moment to end
        assert os.read(reader, 1) == b""  # no process has it open for writing any more
    finally:
        os.close(reader)


def test_a_command_has_no_more_time_than_its_request() -> None:
    with deadline.within(0.0), pytest.raises(EngineUnavailableError, match="was not asked"):
        run_command([sys.executable, "-c", ""], 30)


def test_a_signal_that_ends_a_command_is_reported() -> None:
    answer = run_command(["/bin/sh", "-c", "kill -9 $$"], 30)
    assert answer.code == -signal.SIGKILL
