"""Kills what is left of a job whose supervisor was killed.

A supervisor that lives does this itself, and knows its children for certain. Here processes are
found by the mark in the environment that they started with.
"""

from __future__ import annotations

import os
import signal
import time

from pman_core.contract.errors import EngineUnavailableError
from pman_kit.layout import MARK


def kill_marked(mark: str, timeout_s: float) -> None:
    """Kill every process that has this mark, until there is none.

    :param mark: the value of ``PMAN_PROCESS_JOB``, from the job's record.
    :param timeout_s: seconds to wait for their end.
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
    """Kill a process that has the mark; whether it has.

    A descriptor holds the process before its environment is read. If its id went to another
    process meanwhile, that one's environment may be read; but the signal goes to the first one,
    which is gone.
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
