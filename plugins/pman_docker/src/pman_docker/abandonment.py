"""Containers that their creator never started, and will not start: it was killed, say."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pman_core import JobInfo
from pman_docker.client import Engine
from pman_docker.errors import NotFoundError, RefusedError
from pman_docker.job_objects import JobObjects
from pman_docker.labels import CONTAINER, KIND, OF, WAITING
from pman_docker.settings import DockerSettings
from pman_docker.status import info_of

log = logging.getLogger(__name__)


class Abandonment:
    """Decides by its age whether a container is abandoned, and removes such containers."""

    def __init__(self, engine: Engine, objects: JobObjects, settings: DockerSettings) -> None:
        self._engine = engine
        self._objects = objects
        self._settings = settings

    @property
    def grace(self) -> timedelta:
        """The age at which a container that was never started has lost its creator.

        A creator that took half as long does not start it any more: see ``containers.py``.
        """
        return timedelta(seconds=2 * self._settings.engine_timeout_s)

    def is_abandoned(self, container: Mapping[str, Any]) -> bool:
        """Whether a container was never started, and its creator will not start it either."""
        info = info_of(container)
        if info.status.is_final or info.started or info.created is None:
            return False
        return self._engine.now() - info.created > self.grace

    def never_starts(self, first: Mapping[str, Any]) -> bool:
        """Whether no process will start the first object of a job."""
        if first["Config"]["Labels"][KIND] == WAITING:
            return True
        return bool(first["State"].get("Error")) or self.is_abandoned(first)

    def came_late(self, info: JobInfo) -> bool:
        """Whether a container was started when it may have counted as abandoned."""
        if info.started is None or info.created is None:
            return False
        return info.started - info.created > self.grace

    def clear(self, container: str) -> None:
        """Remove a container that was never started."""
        with contextlib.suppress(RefusedError):  # it runs after all
            self._engine.remove(container, even_running=False)

    def clear_abandoned(self, name: str, first: str) -> bool:
        """Remove a second object that its creator never started, or that is of another job.

        :return: whether the name may be free now.
        """
        try:
            second = self._engine.inspect(name)
        except NotFoundError:
            return True
        labels = second["Config"]["Labels"] or {}
        if not labels.get(OF):
            log.warning("container %s is not pman's, and is in the way of a job", name)
            return False
        of_another = labels[OF] != first
        if of_another and not self._objects.is_there(first):
            return False  # this job has been removed, and the name is rightly the other's
        if of_another or (labels.get(KIND) == CONTAINER and self.is_abandoned(second)):
            with contextlib.suppress(RefusedError):  # it runs after all
                self._engine.remove(second["Id"], even_running=of_another)
            return True
        return False
