"""Which of the two flavors the engine is that is there.

``CONTAINER_ENV=docker`` with a socket of Podman is what pman 6 advised, and Podman may listen at
Docker's usual address. Such an engine gets the requests of Podman. The capabilities
stay as declared at the start. What Podman refuses in addition is refused when a job asks for it.
"""

from __future__ import annotations

import logging
import threading

from pman_docker.client import Engine
from pman_docker.engine_info import EngineInfo, must_be
from pman_docker.flavors import DOCKER, PODMAN, Flavor

log = logging.getLogger(__name__)

#: What an operator should know and do.
HINT = (
    "set CONTAINER_ENV=podman, so that what Podman cannot do (GPUs, NFS storage) is reported at "
    "the start and not when a job is submitted"
)


class CurrentFlavor:
    """The flavor of the engine that is there.

    :param wanted: the flavor that ``CONTAINER_ENV`` names.
    """

    def __init__(self, engine: Engine, wanted: Flavor) -> None:
        self._engine = engine
        self._wanted = wanted
        self._lock = threading.Lock()
        self._has_warned = False

    def flavor(self) -> Flavor:
        """The flavor; the engine is asked only where it is not known.

        The log has one warning if Podman is in Docker's place.

        :raises EngineUnavailableError: see ``info``.
        """
        engine_info = self.info()
        is_other = self.is_other(engine_info)
        with self._lock:
            has_warned, self._has_warned = self._has_warned, is_other
        if is_other and not has_warned:
            log.warning(
                "the engine at %s is %s, and pman speaks to it as to Podman although "
                "CONTAINER_ENV is docker; %s",
                self._engine.address,
                engine_info.title,
                HINT,
            )
        return (PODMAN if is_other else self._wanted).of(engine_info)

    def info(self) -> EngineInfo:
        """What the engine is.

        :raises EngineUnavailableError: it does not answer, or it is Docker where Podman is wanted.
        """
        engine_info = self._engine.info()
        if self.is_other(engine_info):
            return engine_info
        return must_be(engine_info, self._wanted.name, self._engine.address)

    def is_other(self, engine_info: EngineInfo) -> bool:
        """Whether the engine is Podman although ``CONTAINER_ENV`` says docker."""
        return self._wanted is DOCKER and engine_info.is_podman
