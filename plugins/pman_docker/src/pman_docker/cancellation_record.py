"""Records the cancellation of a running job in two placeholders.

Nothing can be written onto the job's container, so placeholders record the cancellation. A job that
had ended before they were made keeps its own end. An engine dates an object a little before the
object can be seen. A process that looked in between would report the job's own end, and later the
cancellation. So there are two placeholders. The first says that a cancellation has begun. The
second is made once the first can be seen, and its time counts. A process that saw neither has
looked before that time. A process that sees only the first makes the second.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.outcome import cancelled
from pman_core.kit.times import parsed_time
from pman_docker.job_objects import Container, JobObjects, Summary
from pman_docker.labels import CANCEL, CANCELLED, end_labels, second_name
from pman_docker.placeholders import Placeholders
from pman_docker.settings import DockerSettings

_PAUSE_S = 0.05


class Cancellations:
    """The cancellations of the jobs of one pman instance."""

    def __init__(
        self, placeholders: Placeholders, objects: JobObjects, settings: DockerSettings
    ) -> None:
        self._placeholders = placeholders
        self._objects = objects
        self._settings = settings

    def record(self, jid: str, first: str) -> None:
        """Record that a job is cancelled, unless that is recorded already or the job is removed.

        :raises NotRecordedError: the engine refuses that now.
        """
        if self._made(jid, first, CANCEL):
            self._made(jid, first, CANCELLED)

    def since(
        self, jid: str, first: str, listed: Iterable[Summary] | None = None
    ) -> datetime | None:
        """From when on a cancellation of a job counts; ``None`` where there is none.

        :param listed: objects that have been listed anyway, those of the job among them.
        :raises NotRecordedError: it never will, if the job has ended.
        """
        begun = self._seen(jid, first, CANCEL, listed)
        placeholder = self._made(jid, first, CANCELLED) if begun else None
        return parsed_time(placeholder["Created"]) if placeholder else None

    def _made(self, jid: str, first: str, kind: str) -> Container | None:
        """A placeholder that can be seen, made if it is missing; ``None`` if the job is removed."""
        name = second_name(self._objects.name(jid), kind)
        labels = end_labels(jid, self._settings.instance, first, cancelled(), kind)
        deadline = time.monotonic() + self._settings.engine_timeout_s
        found = self._seen(jid, first, kind)
        while not found:
            self._placeholders.create_second(name, labels)
            found = self._seen(jid, first, kind)
            if found or not self._objects.is_there(first):
                break
            self._objects.check_name(name)
            if time.monotonic() > deadline:
                raise EngineUnavailableError(f"container {name} is not there in time")
            time.sleep(_PAUSE_S)  # another process makes it just now
        return found

    def _seen(
        self, jid: str, first: str, kind: str, listed: Iterable[Summary] | None = None
    ) -> Container | None:
        return self._objects.named_second(jid, first, kind) or self._objects.renamed_second(
            jid, first, kind, listed
        )
