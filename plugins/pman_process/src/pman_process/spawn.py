"""Starts the supervisor of a job."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from pman_core.contract.errors import EngineUnavailableError
from pman_kit import layout
from pman_kit.layout import TROUBLE

#: The supervisor gets no environment but what a Python may need to start at all.
_NEEDED = ("LD_LIBRARY_PATH",)

#: Without site-packages (``-S``) and without PYTHONPATH (``-I``): only this package is added.
_MAIN = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from pman_kit.supervisor.main import main; main(*sys.argv[2:])"
)


def launch(folder: Path, lock: int, timeout_s: float) -> None:
    """Start a supervisor and hand it the job's lock; it does not depend on this process.

    It is a session of its own, and its parent, for which this waits, ends at once: so it
    gets no signal that is meant for pman, and becomes no zombie of pman.

    :param lock: the descriptor of the lock, which is held.
    :raises EngineUnavailableError: it could not be started; the job has not begun then.
    """
    command = [sys.executable, "-I", "-S", "-c", _MAIN]
    command += [str(Path(layout.__file__).parents[1]), str(folder), str(lock)]
    try:
        with open(folder / TROUBLE, "ab", opener=partial(os.open, mode=0o600)) as trouble:
            starter = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=trouble,
                stderr=trouble,
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
            f"{folder / TROUBLE} may tell why"
        )
