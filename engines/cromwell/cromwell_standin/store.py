"""What the server knows, on disk: it may be killed at any moment.

A record holds a workflow's sources, its metadata as a client gets it, and how far its run is.  The
summary is what Cromwell's summary table holds: an older picture, from which most answers are made.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Record = dict[str, Any]

_TABLE = """
create table if not exists workflow (
    number integer primary key autoincrement,
    id text unique not null,
    waiting integer not null,
    active integer not null,
    dirty integer not null,
    record text not null,
    summary text
)
"""


class DuplicateError(Exception):
    """A workflow with that id is there already; it says which."""


class Store:
    """The workflows."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("pragma journal_mode=wal")
        self._database.execute(_TABLE)

    def add(self, records: Sequence[Record]) -> None:
        """Keep new workflows, all or none.

        :raises DuplicateError: an id is in use.
        """
        with self._lock:
            self._database.execute("begin immediate")
            try:
                for record in records:
                    self._database.execute(
                        "insert into workflow (id, waiting, active, dirty, record) "
                        "values (?, ?, ?, 1, ?)",
                        (record["metadata"]["id"], *_flags(record), json.dumps(record)),
                    )
            except sqlite3.IntegrityError as error:
                self._database.execute("rollback")
                raise DuplicateError(record["metadata"]["id"]) from error
            self._database.execute("commit")

    def get(self, workflow: str) -> Record | None:
        """The newest state of a workflow."""
        with self._lock:
            row = self._database.execute(
                "select record from workflow where id = ?", (workflow,)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def update(self, workflow: str, change: Callable[[Record], None]) -> Record:
        """Change a workflow; nothing else changes it meanwhile."""
        with self._lock:
            record = self.get(workflow)
            if record is None:
                raise KeyError(workflow)
            change(record)
            self._database.execute(
                "update workflow set waiting = ?, active = ?, dirty = 1, record = ? where id = ?",
                (*_flags(record), json.dumps(record), workflow),
            )
        return record

    def waiting(self, most: int) -> list[str]:
        """The oldest workflows that are not picked up yet."""
        return self._ids("waiting = 1 order by number limit ?", most)

    def active(self) -> list[str]:
        """The workflows that were picked up and have not ended."""
        return self._ids("active = 1 order by number")

    def ended(self) -> list[str]:
        """The others."""
        return self._ids("active = 0 and waiting = 0")

    def _ids(self, condition: str, *values: object) -> list[str]:
        with self._lock:
            # The condition is one of the three above.
            query = f"select id from workflow where {condition}"  # noqa: S608
            return [row[0] for row in self._database.execute(query, values)]

    def summary(self, workflow: str) -> Record | None:
        """What the last refresh of the summary saw of a workflow, if it saw it."""
        with self._lock:
            row = self._database.execute(
                "select summary from workflow where id = ?", (workflow,)
            ).fetchone()
        return json.loads(row[0]) if row and row[0] else None

    def summaries(self) -> list[Record]:
        """Of every workflow that a refresh has seen, the newest first."""
        query = "select summary from workflow where summary is not null order by number desc"
        with self._lock:
            return [json.loads(row[0]) for row in self._database.execute(query)]

    def summarise(self, make: Callable[[Record], Record]) -> None:
        """Refresh the summary."""
        with self._lock:
            changed = self._database.execute(
                "select id, record from workflow where dirty = 1"
            ).fetchall()
            for workflow, record in changed:
                self._database.execute(
                    "update workflow set dirty = 0, summary = ? where id = ?",
                    (json.dumps(make(json.loads(record))), workflow),
                )


def _flags(record: Record) -> tuple[int, int]:
    state = record["store"]
    return int(state == "Submitted"), int(state in ("Running", "Aborting"))
