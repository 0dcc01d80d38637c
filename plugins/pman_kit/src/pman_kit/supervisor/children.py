"""The processes of a job: all of them are children of the supervisor, or become so.

As the *subreaper* of the job the supervisor becomes the parent of every process whose own
parent has ended, however it detached itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time


def reap(main: int) -> int | None:
    """Reap children that ended; the wait status of the main process if it is one of them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return found
            if pid == main:
                found = status
    return found


def end_children() -> None:
    """Kill all that is left of the job, and wait until it is gone.

    Only children are killed: until they are reaped here, no other process can get their ids. As
    they end, their own children become children of this process, until there is none.
    """
    while True:
        for pid in _children():
            with contextlib.suppress(PermissionError):  # a setuid program: wait for its end
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def _children() -> list[int]:
    try:
        with open("/proc/thread-self/children") as file:
            return [int(pid) for pid in file.read().split()]
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        pids = (int(name) for name in os.listdir("/proc") if name.isdecimal())
        return [pid for pid in pids if _parent(pid) == os.getpid()]


def _parent(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of the program, in parentheses, may itself hold blanks and parentheses.
            return int(file.read().rpartition(b")")[2].split()[1])
    except OSError:
        return None
