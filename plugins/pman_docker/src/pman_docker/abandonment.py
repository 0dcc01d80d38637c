"""Containers that their creator never started, and will not start: it was killed, say."""

from __future__ import annotations

import contextlib
import logging
from datetime import timedelta

from pman_docker.client import Engine
from pman_docker.errors import NotFoundError, RefusedError
from pman_docker.job_objects import Container, JobObjects
from pman_docker.labels import CONTAINER, KIND, OF
from pman_docker.settings import DockerSettings
from pman_docker.status.container import unstarted_since

log = logging.getLogger(__name__)


class Abandonment:
    """Removes containers that are abandoned, which their age decides."""

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
        if of_another or (labels.get(KIND) == CONTAINER and self._is_abandoned(second)):
            with contextlib.suppress(RefusedError):  # it runs after all
                self._engine.remove(second["Id"], even_running=of_another)
            return True
        return False

    def _is_abandoned(self, container: Container) -> bool:
        since = unstarted_since(container)
        return since is not None and self._engine.now() - since > self.grace
