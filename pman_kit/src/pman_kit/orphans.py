"""Ends what is left of a job whose supervisor was killed.

As long as a supervisor lives, this is its work, and it knows its children beyond doubt. Here
processes are known by the mark in the environment that they started with.
"""

from __future__ import annotations

import os
import signal
import time

from pman_core.contract.errors import EngineUnavailableError
from pman_kit.layout import MARK


def end_marked(mark: str, timeout_s: float) -> None:
    """Kill every process that has this mark, until there is none.

    :raises EngineUnavailableError: some did not end in time.
    """
    deadline = time.monotonic() + timeout_s
    while sum(_kill_if_marked(int(name), mark) for name in os.listdir("/proc") if name.isdecimal()):
        if time.monotonic() > deadline:
            raise EngineUnavailableError(
                f"processes of a job did not end within {timeout_s} s of being killed; they "
                f"have {MARK}={mark} in their environment"
            )
        time.sleep(0.01)


def _kill_if_marked(pid: int, mark: str) -> bool:
    """The process is held by a descriptor before it is looked at.

    If its id went to another process meanwhile, that one may be the one looked at; but the
    signal reaches only the first one, which is gone.
    """
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        with open(f"/proc/{pid}/environ", "rb") as environ:
            marked = f"{MARK}={mark}".encode() in environ.read().split(b"\0")
        if marked:
            signal.pidfd_send_signal(process, signal.SIGKILL)
    except OSError:  # it has ended, or is another user's
        return False
    finally:
        os.close(process)
    return marked
