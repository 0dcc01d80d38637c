"""Creates containers in the flavor of the engine, and takes back those that have no place."""

from __future__ import annotations

from collections.abc import Callable

from pman_core.contract.errors import EngineUnavailableError
from pman_docker.client import Engine
from pman_docker.current_flavor import CurrentFlavor
from pman_docker.errors import RefusedError
from pman_docker.flavors import Flavor, Payload
from pman_docker.job_objects import JobObjects, firsts, seconds_of
from pman_docker.labels import CONTAINER


class Creator:
    """Creates containers that are not started yet."""

    def __init__(self, engine: Engine, current: CurrentFlavor, objects: JobObjects) -> None:
        self._engine = engine
        self._current = current
        self._objects = objects

    def create(self, name: str, words: Callable[[Flavor], Payload]) -> tuple[str, list[str]]:
        """Create a container in the words of the engine that is there.

        :raises EngineUnavailableError: one that needs other words has just taken its place.
        """
        flavor = self._current.flavor()
        try:
            made = flavor.create(self._engine, name, words(flavor))
        except RefusedError as refused:
            now = self._current.flavor()
            if now == flavor:
                raise
            raise _replaced(flavor, now) from refused
        now = self._current.flavor()
        if now != flavor:
            self.withdraw(made[0])
            raise _replaced(flavor, now)
        return made

    def withdraw(self, container: str) -> None:
        """Remove a container that has not been started.

        :raises EngineUnavailableError: it cannot be; it is no refusal of the job.
        """
        try:
            self._engine.remove(container, even_running=False)
        except RefusedError as refused:
            raise EngineUnavailableError(f"a container cannot be removed: {refused}") from refused

    def is_superfluous(self, made: str, jid: str, of: str = "", kind: str = CONTAINER) -> bool:
        """Whether an object that has just been made has no place.

        Its job has such an object already, which has another name now. Or its first object is gone:
        the job has been removed meanwhile.
        """
        objects = self._objects.of_job(jid)
        if of and all(member["Id"] != of for member in objects):
            return True
        alike = seconds_of(of, objects, kind) if of else firsts(objects)
        return any(member["Id"] != made for member in alike)


def _replaced(before: Flavor, now: Flavor) -> EngineUnavailableError:
    what = "version" if now.name == before.name else "kind"
    return EngineUnavailableError(
        f"another {what} of engine has just taken the place of the one that was there"
    )
