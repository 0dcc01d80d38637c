"""Pages of a list, for engines that can name all jobs at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pman_core.info import JobFilter, JobInfo, JobPage


def page_by_name(
    names: Iterable[str],
    look: Callable[[str], JobInfo | None],
    job_filter: JobFilter,
    limit: int,
    cursor: str | None,
) -> JobPage:
    """One page of the jobs that match, in the order of their names.

    The cursor is the last name of a page, so it does not matter what comes and goes between
    two pages.

    :param names: the names of all jobs.
    :param look: the job of a name; ``None`` if there is none, or none any more.
    """
    left = sorted(name for name in names if name > (cursor or ""))
    found: list[JobInfo] = []
    for name in left:
        info = look(name)
        if info and job_filter.matches(info):
            found.append(info)
        if len(found) == limit and name != left[-1]:
            return JobPage(tuple(found), cursor=name)
    return JobPage(tuple(found))
