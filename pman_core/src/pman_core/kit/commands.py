"""A client for engines that are talked to by commands."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

import attrs

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit import deadline


@attrs.frozen
class Answer:
    """What a command answered.

    :param code: its exit code; below 0 is the signal that ended it.
    :param output: its standard output.
    :param errors: its standard error.
    """

    code: int
    output: str
    errors: str


def run_command(
    command: Sequence[str],
    timeout_s: float,
    *,
    input_text: str = "",
    environ: Mapping[str, str] | None = None,
) -> Answer:
    """Run a command of the engine and wait for its end.

    Within a request it has no more time than the request has left. When its time is over, it and
    all processes of its session are killed. What is no UTF-8 is replaced.

    :param timeout_s: how many seconds it may take.
    :param input_text: its standard input.
    :param environ: its whole environment; that of pman if there is none.
    :raises EngineUnavailableError: it cannot be run, or its time is over. Neither its arguments
        nor its environment are quoted: they may hold secrets.
    """
    name = os.path.basename(command[0])
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise EngineUnavailableError(f"{name} cannot be run: {error.strerror}") from error
    with process:
        try:
            output, errors = process.communicate(input_text, deadline.left(timeout_s))
        except TimeoutError as error:  # TimeoutExpired is none of these
            _kill(process)
            raise EngineUnavailableError(f"{name} was not asked: {error}") from error
        except subprocess.TimeoutExpired as error:
            _kill(process)
            raise EngineUnavailableError(
                f"{name} did not answer within {error.timeout:g} s"
            ) from error
        except BaseException:
            _kill(process)
            raise
    return Answer(process.returncode, output, errors)


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
