"""Creating a job or finding it, where the engine's unique names are the lock."""

from __future__ import annotations

from collections.abc import Callable

from pman_core.contract.errors import EngineUnavailableError, NameTakenError
from pman_core.contract.info import JobInfo

#: How often a submission tries again whose job is removed whenever it has just been found.
_ATTEMPTS = 5


def create_or_find(
    jid: str,
    name: str,
    *,
    create: Callable[[], JobInfo | None],
    find: Callable[[], JobInfo | None],
    is_foreign: Callable[[], bool],
) -> JobInfo:
    """The job of that id: created if there is none, else found as it is.

    Of several processes that do this at once, the engine lets one create the job.

    :param name: the job's name in the engine.
    :param create: makes the job; ``None`` where the name is in use.
    :param find: the job, if it is one of this pman; ``None`` if there is none (any more).
    :param is_foreign: whether something has the name that is no such job.
    :raises NameTakenError: something else has the name.
    :raises EngineUnavailableError: the job is removed whenever it has been found.
    """
    for _ in range(_ATTEMPTS):
        info = create() or find()
        if info:
            return info
        if is_foreign():
            raise NameTakenError(jid, name)
    raise EngineUnavailableError(f"job {jid!r} is removed again and again")
