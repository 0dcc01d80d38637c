"""The files of a job's folder, which pman and the supervisor share, and how they are written.

Like everything that the supervisor imports, this keeps to the standard library.
"""

from __future__ import annotations

import fcntl
import json
import os
from typing import Any

JOB = "job.json"  # what to run; never changes
ENVIRONMENT = "environment.json"  # may be secret; deleted as soon as the job has begun
BEGAN = "began.json"  # from here on the job is never started again
ENDED = "ended.json"  # how it ended; never changes
CANCELLED = "cancelled"  # an empty file: the job is to end, and its end is that it was cancelled
LOCK = "lock"  # its holder may change the job
CONTROL = "control"  # a FIFO: a byte in it asks the supervisor to end the job
LOG = "log"
OLD_LOG = "log.old"  # what came before LOG, when that grew too long
SUPERVISOR_ERRORS = "supervisor.err"  # what a supervisor prints that fails itself

#: The environment variable that marks the processes of a job, for when its supervisor is killed.
MARK = "PMAN_PROCESS_JOB"


def read_record(folder: int, name: str) -> Any:
    """What the file ``name`` in the open directory ``folder`` holds; ``None`` if it is absent.

    :raises ValueError: it holds no JSON.
    """
    try:
        file = os.open(name, os.O_RDONLY, dir_fd=folder)
    except FileNotFoundError:
        return None
    with open(file, "rb") as content:
        return json.load(content)


def write_record(folder: int, name: str, record: Any) -> None:
    """Write a file, readable by its owner only, whole or not at all.

    Once this has returned, the file outlives a sudden end of the machine. Only the holder of the
    job's lock may call it.

    :param record: what JSON can hold.
    :raises OSError: it cannot be written; then the file is as it was before.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with open(os.open(name + ".tmp", flags, 0o600, dir_fd=folder), "wb") as file:
        file.write(json.dumps(record).encode())
        file.flush()
        os.fsync(file.fileno())
    os.rename(name + ".tmp", name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def take_lock(lock: int) -> bool:
    """Take the lock that the descriptor ``lock`` has open, unless another process holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
