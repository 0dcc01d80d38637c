"""Finds the containers that belong to a job, whatever they are called now.

The name of an object is the lock under which it is made, and the quickest way to it. Somebody may
rename it later (``docker rename``), so what it is its labels say. An image that was made of a job's
container (``docker commit``) hands the labels on to containers that somebody makes of it. Those are
no job's: their image has the labels too, while pman gives them to a container.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pman_core.kit.job_labels import is_of_job
from pman_core.kit.names import INSTANCE_LABEL, JID_LABEL, native_name
from pman_docker.client import Engine
from pman_docker.errors import NotFoundError, NotRecordedError
from pman_docker.labels import CONTAINER, KIND, OF, second_name

#: A container as the engine lists it (``GET /containers/json``), or as it is inspected.
Summary = dict[str, Any]
Container = dict[str, Any]


class JobObjects:
    """Finds the objects of the jobs of one pman instance."""

    def __init__(self, engine: Engine, instance: str) -> None:
        self._engine = engine
        self._instance = instance

    def name(self, jid: str) -> str:
        """The name that pman gives to a job's first object."""
        return native_name(jid, self._instance)

    # ------------------------------------------------------------- one object

    def first(self, jid: str) -> Container | None:
        """The first object of a job: one call where it has its name."""
        named = self.named_first(jid)
        return named or self._inspected(firsts(self.of_job(jid)))

    def named_first(self, jid: str) -> Container | None:
        """The first object of a job, if it has its name."""
        found = self._inspect(self.name(jid))
        labels = (found and found["Config"]["Labels"]) or {}
        return found if is_of_job(labels, jid, self._instance) and not labels.get(OF) else None

    def is_foreign(self, jid: str) -> bool:
        """Whether something that is not this job has its name."""
        return bool(self._inspect(self.name(jid))) and self.named_first(jid) is None

    def named_second(self, jid: str, first: str, kind: str = CONTAINER) -> Container | None:
        """The second object that belongs to a first one, if it has its name."""
        found = self._inspect(second_name(self.name(jid), kind))
        labels = (found and found["Config"]["Labels"]) or {}
        return found if labels.get(OF) == first else None

    def renamed_second(
        self,
        jid: str,
        first: str,
        kind: str = CONTAINER,
        listed: Iterable[Summary] | None = None,
    ) -> Container | None:
        """The second object of a first one, if it has another name.

        :param listed: objects that have been listed anyway, those of the job among them.
        """
        found = seconds_of(first, self.of_job(jid) if listed is None else listed, kind)
        return self._inspected(one for one in found if not self.has_its_name(one))

    def is_there(self, container: str) -> bool:
        """Whether there is a container of this id or name."""
        return self._inspect(container) is not None

    def check_name(self, name: str) -> None:
        """:raises NotRecordedError: what has the name of a second object is none."""
        found = self._inspect(name)
        if found and not (found["Config"]["Labels"] or {}).get(OF):
            raise NotRecordedError(f"container {name} is not pman's; remove it, or rename it")

    # ----------------------------------------------------------- many objects

    def of_job(self, jid: str) -> list[Summary]:
        """All objects of a job, the oldest first: one call, and one for each that was renamed."""
        return [
            summary for summary in self._labelled(f"{JID_LABEL}={jid}") if self._is_own(summary)
        ]

    def of_all(self) -> list[Summary]:
        """What has the labels of any job. That alone does not make it pman's: see above."""
        return self._labelled()

    def by_name(self, listed: Iterable[Summary]) -> dict[str, Summary]:
        """What the engine lists of each job of this pman, by the names that pman gave.

        What has another name now counts where nothing has that one; it may be no job at all.
        """
        found: dict[str, Summary] = {}
        for summary in firsts(listed):
            name = self.name(summary["Labels"][JID_LABEL])
            if name not in found or self.has_its_name(summary):
                found[name] = summary
        return found

    def has_its_name(self, summary: Summary) -> bool:
        """Whether an object still has the name that pman gave it."""
        name = self.name(summary["Labels"][JID_LABEL])
        wanted = second_name(name, summary["Labels"][KIND]) if is_second(summary) else name
        return f"/{wanted}" in (summary.get("Names") or ())

    def _labelled(self, *labels: str) -> list[Summary]:
        found = self._engine.labelled(f"{INSTANCE_LABEL}={self._instance}", *labels)
        # Containers of pman's services in a swarm have no kind.
        ours = [one for one in found if one["Labels"].get(JID_LABEL) and KIND in one["Labels"]]
        return sorted(ours, key=lambda summary: int(summary["Created"]))

    def _is_own(self, summary: Summary) -> bool:
        if self.has_its_name(summary):
            return True
        inherited = self._engine.labels_of_image(summary["ImageID"])
        return not is_of_job(inherited, summary["Labels"][JID_LABEL], self._instance)

    def _inspected(self, summaries: Iterable[Summary]) -> Container | None:
        """The first of them that is still there."""
        return next(filter(None, (self._inspect(one["Id"]) for one in summaries)), None)

    def _inspect(self, name: str) -> Container | None:
        try:
            return self._engine.inspect(name)
        except NotFoundError:
            return None


def is_second(summary: Mapping[str, Any]) -> bool:
    """Whether it is the second object of a job, not the first."""
    return bool(summary["Labels"].get(OF))


def firsts(objects: Iterable[Summary]) -> list[Summary]:
    """The first objects among them."""
    return [summary for summary in objects if not is_second(summary)]


def seconds_of(first: str, objects: Iterable[Summary], kind: str = CONTAINER) -> list[Summary]:
    """The second objects that belong to a first one, and have the name of this kind."""
    return [
        summary
        for summary in objects
        if summary["Labels"].get(OF) == first
        and second_name("", summary["Labels"][KIND]) == second_name("", kind)
    ]
