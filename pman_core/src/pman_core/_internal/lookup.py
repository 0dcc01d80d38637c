"""Answers what a job is and what it wrote: from what is known, or from the engine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pman_core._internal.backend import Backend
from pman_core._internal.held_answers import hold_back
from pman_core._internal.job_table import JobTable
from pman_core._internal.log_cache import LogCache
from pman_core._internal.shared_questions import SharedQuestions
from pman_core._internal.writes import Writes
from pman_core.contract.errors import UnknownJobError
from pman_core.contract.info import JobInfo


class Lookup:
    """The states and the logs of the jobs of one backend.

    :param timeout_s: seconds for a question to the engine.
    :param table: what is known of the jobs; ``None`` if the engine is asked each time.
    :param writes: what was changed through pman.
    :param held_s: seconds for which an answer is held back that says that a job has been ended, so
        that other replicas know it by then.
    """

    def __init__(
        self,
        backend: Backend,
        timeout_s: float,
        table: JobTable | None = None,
        writes: Writes | None = None,
        held_s: float = 0.0,
    ) -> None:
        self._backend = backend
        self._table = table
        self._writes = writes
        self._held_s = held_s
        self._logs = LogCache(timeout_s)
        self._questions: SharedQuestions[JobInfo] = SharedQuestions(timeout_s)

    def status(self, jid: str, *, fresh: bool = False) -> JobInfo:
        """The state of a job.

        :param fresh: whether the engine itself has to answer.
        :raises UnknownJobError: there is no such job.
        """
        info = None if fresh or self._table is None else self._table.get(jid)
        return info or self._questions.ask(jid, lambda: self._asked(jid))

    def logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> str:
        """The end of a job's log.

        :param info: the job as it is.
        """
        return self._logs.get(
            info,
            lambda: self._backend.logs(info, tail_lines, max_bytes).decode(errors="replace"),
        )

    @contextlib.contextmanager
    def changing(self, jid: str, *, ends_it: bool = False) -> Iterator[None]:
        """Around what changes a job: no process answers what was before, once that is answered."""
        try:
            yield
        finally:
            if self._writes:
                self._writes.note(jid)
            if self._table:
                self._table.wanted.set()  # there may be a job now that needs the feed
            if ends_it:
                hold_back(self._held_s)

    def answered(self, jid: str, info: JobInfo | None) -> None:
        """Note what the engine itself has answered of a job; ``None``: there is none."""
        if self._table:
            self._table.answered(jid, info)

    def _asked(self, jid: str) -> JobInfo:
        try:
            info = self._backend.status(jid)
        except UnknownJobError:
            self.answered(jid, None)
            raise
        self.answered(jid, info)
        return info
