"""The clockwork: refreshes of the summary, looks for new workflows, steps of those that run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cromwell_standin import clock, ends, metadata, times
from cromwell_standin.config import Site
from cromwell_standin.errors import WorkflowError
from cromwell_standin.life import Life
from cromwell_standin.store import Record, Store
from cromwell_standin.times import Times

_log = logging.getLogger(__name__)

_WORKERS = 8
_MOST_WORKFLOWS = 5000


class Engine:
    """One thread that looks at the clock, and a few that run commands."""

    def __init__(self, store: Store, site: Site, given: Times, *, caching: bool) -> None:
        self._store = store
        self._life = Life(store, site.backend, given, caching=caching)
        self._archive_after = given.archive_after
        self._launch_count = given.launch_count or site.launch_count or times.LAUNCH_COUNT
        self._most = site.max_workflows or _MOST_WORKFLOWS
        self._pool = ThreadPoolExecutor(_WORKERS)
        self._changed = threading.Condition()
        self._due: dict[str, float] = {}
        self._busy: set[str] = set()
        now = time.monotonic()
        self._regular: list[tuple[float, Callable[[], None]]] = [
            (given.summary or site.summary or times.SUMMARY, self._summarise),
            (given.pick_up or site.pick_up or times.PICK_UP, self._pick_up),
        ]
        self._next = [now + interval for interval, _ in self._regular]

    def run(self) -> None:
        """Go on with what an earlier server left, for ever."""
        for workflow in self._store.active():
            self._life.recover(workflow)
            self._due[workflow] = 0
        threading.Thread(target=self._loop, name="engine", daemon=True).start()

    def hurry(self, workflow: str) -> None:
        """A workflow has something new to do."""
        with self._changed:
            self._due[workflow] = 0
            self._changed.notify()

    def _loop(self) -> None:
        while True:
            for index, (interval, act) in enumerate(self._regular):
                if time.monotonic() >= self._next[index]:
                    act()
                    self._next[index] = time.monotonic() + interval
            with self._changed:
                self._start_steps()
                upcoming = [due for one, due in self._due.items() if one not in self._busy]
                pause = min([*self._next, *upcoming]) - time.monotonic()
                self._changed.wait(max(pause, 0.001))

    def _start_steps(self) -> None:
        now = time.monotonic()
        for workflow, due in list(self._due.items()):
            if due <= now and workflow not in self._busy:
                self._busy.add(workflow)
                del self._due[workflow]
                self._pool.submit(self._step, workflow)

    def _step(self, workflow: str) -> None:
        pause: float | None = None
        try:
            pause = self._life.step(workflow)
        except Exception as error:
            _log.exception("workflow %s: a fault of this stand-in", workflow)
            ends.fail(self._store, workflow, WorkflowError(f"a fault of this stand-in: {error!r}"))
        with self._changed:
            self._busy.discard(workflow)
            if pause is not None:
                self._due.setdefault(workflow, time.monotonic() + pause)
            self._changed.notify()

    def _pick_up(self) -> None:
        room = self._most - len(self._store.active())
        for workflow in self._store.waiting(min(self._launch_count, max(room, 0))):
            picked = self._store.update(workflow, _pick_up_if_waiting)
            if picked["store"] == "Running":
                self.hurry(workflow)

    def _summarise(self) -> None:
        if self._archive_after is not None:
            for workflow in self._store.ended():
                self._archive(workflow, self._archive_after)
        self._store.summarise(metadata.summary)

    def _archive(self, workflow: str, after: float) -> None:
        record = self._store.get(workflow)
        if record is None or "archive" in record or "end" not in record["metadata"]:
            return
        ended = clock.parse(record["metadata"]["end"])
        if (clock.parse(clock.now()) - ended).total_seconds() >= after:
            self._store.update(workflow, lambda record: record.update(archive=metadata.ARCHIVED))


def _pick_up_if_waiting(record: Record) -> None:
    # It may have been aborted since it was listed.
    if record["store"] == "Submitted":
        ends.pick_up(record)
