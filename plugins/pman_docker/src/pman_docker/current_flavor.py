"""Which of the two engines there is, and so how it is spoken to.

``CONTAINER_ENV=docker`` with a socket of Podman is what pman 6 advised, and Podman may listen at
Docker's usual address. Such an engine is spoken to as Podman wants it. What pman declares stays as
it was at the start: what Podman refuses besides is told when it is asked for.
"""

from __future__ import annotations

import logging
import threading

from pman_docker.client import Engine, must_be
from pman_docker.engine_info import EngineFacts
from pman_docker.flavors import DOCKER, PODMAN, Dialect

log = logging.getLogger(__name__)

#: What an operator should know and do.
HINT = (
    "set CONTAINER_ENV=podman, so that what Podman cannot do (GPUs, NFS storage) is told at the "
    "start and not when a job is submitted"
)


class Spoken:
    """How an engine is spoken to.

    :param wanted: the dialect that ``CONTAINER_ENV`` names.
    """

    def __init__(self, engine: Engine, wanted: Dialect) -> None:
        self._engine = engine
        self._wanted = wanted
        self._lock = threading.Lock()
        self._is_told = False

    def dialect(self) -> Dialect:
        """How the engine that is there is spoken to; it is asked only where it is not known.

        The log tells of Podman in Docker's place, once.

        :raises EngineUnavailableError: see ``facts``.
        """
        facts = self.facts()
        is_other = self.is_other(facts)
        with self._lock:
            is_told, self._is_told = self._is_told, is_other
        if is_other and not is_told:
            log.warning(
                "the engine at %s is %s, and pman speaks to it as to Podman although "
                "CONTAINER_ENV is docker; %s",
                self._engine.address,
                facts.title,
                HINT,
            )
        return PODMAN if is_other else self._wanted

    def facts(self) -> EngineFacts:
        """What the engine is.

        :raises EngineUnavailableError: it does not answer, or it is Docker where Podman is wanted.
        """
        facts = self._engine.facts()
        if self.is_other(facts):
            return facts
        return must_be(facts, self._wanted.name, self._engine.address)

    def is_other(self, facts: EngineFacts) -> bool:
        """Whether the engine is Podman although ``CONTAINER_ENV`` says docker."""
        return self._wanted is DOCKER and facts.is_podman
