"""Ending and deleting a job."""

from __future__ import annotations

from pman_kit.job_folder import JobFolder
from pman_kit.orphans import kill_marked
from pman_kit.record import Record
from pman_kit.store import JobStore


def remove(store: JobStore, folder: JobFolder, record: Record, timeout_s: float) -> bool:
    """End a job with all its processes, and delete it. Of many removals at once, one succeeds.

    A removal that was killed or that raised can be repeated.

    :param timeout_s: seconds within which the job must end.
    :return: ``False`` if another process removed it meanwhile.
    :raises EngineUnavailableError: it did not end in time.
    :raises OSError: the disk does not answer.
    """
    with folder.lock_after_end(timeout_s) as held:
        if held:
            if folder.began() and not folder.ended():
                kill_marked(record.mark, timeout_s)
            store.discard(folder)
        return held
