"""Does what is due with a job that has no end and that nobody takes care of."""

from __future__ import annotations

import contextlib
import os
import time

from pman_core import Reason
from pman_kit.job_folder import Folder
from pman_kit.layout import ENDED, ENVIRONMENT, write_record
from pman_kit.orphans import end_marked
from pman_kit.record import Record
from pman_kit.supervisor.outcome import verdict
from pman_process.settings import ProcessSettings
from pman_process.spawn import launch

_LOST = (
    "lost: its supervisor ended before the job did (was the machine restarted, or the "
    "supervisor killed?)"
)


def settle(folder: Folder, record: Record, settings: ProcessSettings) -> None:
    """If the job's lock is free, begin the job or write down how it ended.

    Every process that looks at a job calls this, so a job never waits for one that was
    killed. Whether it has begun is told by a file; only who holds the lock may act on that.

    :raises EngineUnavailableError: neither could be done now.
    """
    with folder.lock() as lock:
        if lock is None and folder.is_cancelled():
            folder.ask_to_end()  # in place of a pman that was killed before it could
        if lock is None or folder.ended() or not folder.is_in_place():
            return
        waited_s = time.time() - record.created
        if folder.is_cancelled():
            end_marked(record.mark, settings.engine_timeout_s)
            _end(folder, Reason.CANCELLED, "cancelled")
        elif folder.began():
            end_marked(record.mark, settings.engine_timeout_s)
            _end(folder, Reason.LOST, _LOST)
        elif waited_s > settings.start_deadline_s:
            late = f"not started within {settings.start_deadline_s} s"
            _end(folder, Reason.START_DEADLINE, late)
        else:
            launch(folder.path, lock, settings.engine_timeout_s)


def _end(folder: Folder, reason: Reason, message: str) -> None:
    write_record(folder.fd, ENDED, verdict(None, reason, message))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(ENVIRONMENT, dir_fd=folder.fd)
