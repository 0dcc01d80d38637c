"""Pages of a list, for engines that can name all jobs at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TypeVar

from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_core.contract.info import JobFilter, JobInfo, JobPage

T = TypeVar("T")

#: The message about a cursor that is none, on every backend.
NO_CURSOR = "is none that this server gave; ask for the first page again"


class UnsettledError(EngineUnavailableError):
    """What is due for a job cannot be done now: its end cannot be written down, say.

    A look at a job raises it. It answers a question for this job; a list shows the job as far as
    it is known, since one job must not hide the others.

    :param info: the job as far as it is known.
    :param cause: why it cannot be done; its message is the message of this error.
    """

    def __init__(self, info: JobInfo, cause: EngineUnavailableError) -> None:
        self.info = info
        super().__init__(str(cause), cause.retry_after_s)


def page_by_name(
    names: Iterable[str],
    look: Callable[[str], JobInfo | None],
    job_filter: JobFilter,
    limit: int,
    cursor: str | None,
) -> JobPage:
    """One page of the jobs that match, in the order of their names.

    The cursor holds the last name of a page, so it does not matter what comes and goes between
    two pages.

    :param names: the names of all jobs.
    :param look: the job of a name; ``None`` if there is none, or none any more. A job about which
        it raises ``UnsettledError`` is listed all the same; any other error is that of the list.
    :raises InvalidJobError: the cursor is of no page.
    """
    last = "" if cursor is None else _name_in(cursor)
    left = sorted(name for name in names if name > last)
    found: list[JobInfo] = []
    for name in left:
        info = listed(look, name)
        if info and job_filter.matches(info):
            found.append(info)
        if len(found) == limit and name != left[-1]:
            return JobPage(tuple(found), cursor=_cursor_of(name))
    return JobPage(tuple(found))


def listed(look: Callable[[T], JobInfo | None], job: T) -> JobInfo | None:
    """What a list shows of a job; for engines that make the pages themselves.

    :param look: as in :func:`page_by_name`.
    :param job: what ``look`` takes, a name or an object of the engine.
    """
    try:
        return look(job)
    except UnsettledError as unsettled:
        return unsettled.info


def _cursor_of(name: str) -> str:
    """A name with its check sum: what a client made up would be a page of other jobs, or none."""
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
    return f"{digest[:8]}-{name}"


def _name_in(cursor: str) -> str:
    name = cursor.partition("-")[2]
    if cursor == _cursor_of(name):
        return name
    raise InvalidJobError(faults={"cursor": NO_CURSOR})
