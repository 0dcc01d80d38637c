"""The program that runs one job, for any scheduler: ``python -m pman_kit.supervise FOLDER``.

It runs the job in ``FOLDER`` once, however often it is started: a second run does nothing. It does
nothing either where the folder was removed, or the job was cancelled or has ended. It stays in the
foreground until the job and all its processes have ended and the end is written down. Its exit
code is then 0; the folder says how the job ended. On SIGTERM it ends the job.

``python -m pman_kit.supervise FOLDER LOCK`` takes the job over from its parent, which holds the
job's lock with the descriptor ``LOCK``, and goes into the background.

Like everything that it imports, this keeps to the standard library.
"""

from __future__ import annotations

import sys
from pathlib import Path

#: Without site-packages (``-S``) and without PYTHONPATH (``-I``): only this package is added.
_MAIN = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from pman_kit.supervisor.main import main; main(*sys.argv[2:])"
)


def supervise_command(folder: Path, lock: int | None = None) -> list[str]:
    """The command line that a scheduler runs for a job. It starts faster than ``-m`` does.

    :param folder: the job's folder.
    :param lock: a descriptor that holds the job's lock, which the new process inherits.
    """
    source = Path(__file__).parents[1]
    command = [sys.executable, "-I", "-S", "-c", _MAIN, str(source), str(folder)]
    return command if lock is None else [*command, str(lock)]


if __name__ == "__main__":
    from pman_kit.supervisor.main import main  # only here: pman itself needs none of it

    main(*sys.argv[1:])
