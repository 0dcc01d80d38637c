"""Starts the supervisor of a job as a process of its own."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from pathlib import Path

from pman_core.contract.errors import EngineUnavailableError
from pman_kit.layout import SUPERVISOR_ERRORS
from pman_kit.supervise import supervise_command

#: The supervisor gets no environment but what a Python may need to start at all.
_NEEDED = ("LD_LIBRARY_PATH",)


def spawn(folder: Path, lock: int, timeout_s: float) -> None:
    """Start a supervisor and hand it the job's lock; it does not depend on this process.

    It has a session of its own, and its parent, for which this waits, ends at once. So it
    gets no signal that is meant for pman, and does not become a zombie of pman.

    :param lock: the descriptor of the lock, which is held.
    :param timeout_s: seconds that the start may take.
    :raises EngineUnavailableError: it could not be started; the job has not begun then.
    """
    try:
        with open(folder / SUPERVISOR_ERRORS, "ab", opener=partial(os.open, mode=0o600)) as errors:
            starter = subprocess.Popen(
                supervise_command(folder, lock),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                cwd="/",
                env={name: os.environ[name] for name in _NEEDED if name in os.environ},
                pass_fds=(lock,),
                start_new_session=True,
            )
    except OSError as error:
        raise EngineUnavailableError(f"pman cannot start processes now: {error}") from error
    try:
        code = starter.wait(timeout_s)
    except subprocess.TimeoutExpired:
        starter.kill()
        code = starter.wait()
    if code:
        raise EngineUnavailableError(
            f"a supervisor could not be started (it ended with {code}); "
            f"{folder / SUPERVISOR_ERRORS} may say why"
        )
