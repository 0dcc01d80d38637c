"""Plays ``tsp`` where task-spooler is not installed: ``-n -L NAME COMMAND...``, ``-l``, ``-V``.

It runs every job at once. What it knows is in the folder that ``TMPDIR`` names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def main(words: list[str]) -> None:
    """Do what these words of a command line ask for."""
    queue = Path(os.environ["TMPDIR"], "queue")
    queue.mkdir(exist_ok=True)
    if words[0] == "-V":
        print("stand-in for task-spooler")  # noqa: T201
    elif words[0] == "-l":
        for entry in list(queue.iterdir()):
            try:
                name, pid = entry.read_text().split()
            except (FileNotFoundError, ValueError):
                continue  # another process forgets it, or writes it
            state = "running" if _is_running(int(pid)) else "finished"
            print(f"{entry.name} {state} (file) [{name}]")  # noqa: T201
            if state == "finished":
                entry.unlink(missing_ok=True)  # as task-spooler forgets its oldest ones
    else:
        quiet = subprocess.DEVNULL
        job = subprocess.Popen(
            words[3:], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
        (queue / str(job.pid)).write_text(f"{words[2]} {job.pid}")


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    main(sys.argv[1:])
