"""Does what is due for a job that has no end and that no supervisor takes care of."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pman_core.kit.outcome import cancelled, lost, not_started_in_time
from pman_kit.job_folder import JobFolder
from pman_kit.orphans import kill_marked
from pman_kit.record import Record

#: Has the engine run the supervisor of a job: ``launch(FOLDER, LOCK)``. It is called while the
#: descriptor ``LOCK`` holds the job's lock, at once for a new job and again at each look at a job
#: that has not begun. A second supervisor of a job does nothing, so a launch that is repeated does
#: no harm. It returns at once, and raises ``EngineUnavailableError`` where the engine cannot take
#: the job now.
Launch = Callable[[Path, int], None]

_LOST = (
    "its supervisor ended before the job did (was the machine restarted, or the supervisor killed?)"
)


def reconcile(
    folder: JobFolder,
    record: Record,
    launch: Launch,
    *,
    timeout_s: float,
    start_deadline_s: int,
    waiting: str,
) -> None:
    """If the job's lock is free, launch the job or write down how it ended.

    Every process that looks at a job calls this, so a job never waits for one that was
    killed. A file says whether the job has begun; only the holder of the lock may act on it.

    :param timeout_s: seconds within which processes that are left of the job must end.
    :param start_deadline_s: seconds after its creation at which a job that has not begun fails.
    :param waiting: the message of such a job.
    :raises EngineUnavailableError: neither could be done now.
    :raises OSError: the folder cannot be read or written.
    """
    with folder.lock() as lock:
        if lock is None and folder.is_cancelled():
            folder.ask_to_end()  # in place of a pman that was killed before it could
        if lock is None or folder.ended() or not folder.is_in_place():
            return
        waited_s = time.time() - record.created
        if folder.is_cancelled():
            kill_marked(record.mark, timeout_s)
            folder.write_end(cancelled())
        elif folder.began():
            kill_marked(record.mark, timeout_s)
            folder.write_end(lost(_LOST))
        elif waited_s > start_deadline_s:
            folder.write_end(not_started_in_time(start_deadline_s, waiting))
        else:
            launch(folder.path, lock)
