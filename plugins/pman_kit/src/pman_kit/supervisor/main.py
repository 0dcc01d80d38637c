"""Runs one job: ``main(FOLDER)`` in a new process."""

from __future__ import annotations

import math
import os
import select
import signal
import time
from typing import Any

from pman_kit.layout import (
    BEGAN,
    CANCELLED,
    CONTROL,
    ENDED,
    ENVIRONMENT,
    JOB,
    read_record,
    write_record,
)
from pman_kit.supervisor.children import end_children, reap
from pman_kit.supervisor.claim import claim, leave_surroundings
from pman_kit.supervisor.joblog import Log
from pman_kit.supervisor.outcome import Outcome, outcome, outcome_of_exit, over_time_limit
from pman_kit.supervisor.start import start


def main(path: str, lock: str | None = None) -> None:
    """Run the job in the folder ``path``, unless it has begun.

    What is written down before the first process starts keeps a job from being begun again, even
    after a sudden end of the machine.

    :param lock: the descriptor of the job's lock, which pman holds and hands over; then the job
        runs in the background. Without it the lock is taken here.
    """
    if lock:
        os.set_inheritable(int(lock), False)
        if os.fork():
            os._exit(0)  # pman waits for this process only, and need not reap the other one
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    else:
        path = os.path.abspath(path)
        leave_surroundings()
        claimed = claim(path)
        if claimed is None:
            return
        folder = claimed
    job, environment = read_record(folder, JOB), read_record(folder, ENVIRONMENT)
    if read_record(folder, BEGAN) is None:
        write_record(folder, BEGAN, {"at": time.time(), "pid": os.getpid()})
        os.unlink(ENVIRONMENT, dir_fd=folder)
        run(folder, job, environment)


def run(folder: int, job: dict[str, Any], environment: dict[str, str]) -> None:
    """Run the job to its end, and write down how it ended."""
    wake = _prepare_signals()
    control = os.open(CONTROL, os.O_RDWR | os.O_NONBLOCK, dir_fd=folder)
    log = Log(folder, job["log_max_bytes"])
    main, end = start(job, environment, log.for_job)
    os.close(log.for_job)
    if end is None:
        end = wait(main, job["time_limit_s"], wake, control, log) or _asked_end(folder)
    end_children()
    log.drain()
    end["message"] += log.fault
    while True:
        try:
            return write_record(folder, ENDED, end)
        except FileNotFoundError:
            return None  # somebody deleted the folder by hand
        except OSError:  # the disk is full: an end must not be lost
            if select.select([control], [], [], 1)[0]:
                return None


def wait(main: int, limit_s: int | None, wake: int, control: int, log: Log) -> Outcome | None:
    """Look after the job until its main process ends, or must be ended.

    :return: how it ended; ``None`` where pman asked for it.
    """
    poll = select.poll()
    for source in (wake, control, log.source):
        poll.register(source, select.POLLIN)
    deadline = time.monotonic() + (limit_s or math.inf)
    while True:
        left_ms = min(deadline - time.monotonic(), 86400) * 1000
        ready = {source for source, _ in poll.poll(max(0, math.ceil(left_ms)))}
        if log.source in ready and not log.copy():
            poll.unregister(log.source)
        signals = os.read(wake, 4096) if wake in ready else b""
        status = reap(main)
        if status is not None:
            return outcome_of_exit(os.waitstatus_to_exitcode(status))
        if control in ready:
            return None
        if signal.SIGTERM in signals:
            return outcome(137, "killed", "ended: its supervisor was asked to end (SIGTERM)")
        if time.monotonic() >= deadline:
            return over_time_limit(limit_s)


def _asked_end(folder: int) -> Outcome:
    """The end of a job that pman wants to end."""
    if os.access(CANCELLED, os.F_OK, dir_fd=folder):
        return outcome(None, "cancelled", "cancelled")
    return outcome(137, "killed", "ended: it is being removed")


def _prepare_signals() -> int:
    """Let SIGCHLD and SIGTERM wake a poll of the descriptor that is returned."""
    wake, write = os.pipe()
    for end in (wake, write):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return wake
