"""Creates and starts the containers of jobs: each job runs once, whichever process is killed.

Starting a container that has ended runs it again, and no engine has a start that depends on a
state. So **only the process that created a container starts it, once, and at once**. Where
that process was killed in between, another one makes the job's second object and starts that.
The name of each object is a lock: of several creators one succeeds.

A start that failed by a transient cause, or that was cancelled, is such a start too: its container
is not started again, and counts as abandoned.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping

from pman_core import Job
from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.masking import masked, no_values
from pman_core.kit.outcome import cannot_start
from pman_docker.client import Engine
from pman_docker.creation import Creator
from pman_docker.errors import NotFoundError, RefusedError, transient_cause
from pman_docker.flavors import Flavor, Payload
from pman_docker.image_user import image_user
from pman_docker.labels import container_labels, second_name
from pman_docker.limits import dropped_limit
from pman_docker.payload import NO_VOLUMES
from pman_docker.placeholders import Placeholders
from pman_docker.settings import DockerSettings
from pman_docker.status.container import container_info, transient_start_cause
from pman_docker.storebase_volumes import StorebaseVolumes

log = logging.getLogger(__name__)


class Containers:
    """Creates and starts the containers of jobs."""

    def __init__(
        self, engine: Engine, creator: Creator, placeholders: Placeholders, settings: DockerSettings
    ) -> None:
        self._engine = engine
        self._creator = creator
        self._placeholders = placeholders
        self._settings = settings
        self._volumes = StorebaseVolumes(engine, settings.instance)

    def run(self, name: str, job: Job) -> tuple[str, bool]:
        """Create a job's container and start it; its id, and whether it was started.

        :raises NameInUseError: the job exists, or a foreign object has its name.
        :raises ImageMissingError: the image must be pulled first.
        :raises RefusedError: it cannot be created, in the engine's words; nothing is left of it.
        :raises EngineUnavailableError: it is not started, and gone on with later if it exists.
        """
        return self._run(name, job, container_labels(job, self._settings.instance))

    def run_second(self, name: str, job: Job, first: str) -> None:
        """Create and start the container that takes the place of a job's first object.

        :raises NameInUseError: there is such an object; see ``Abandonment``.
        :raises ImageMissingError: as above.
        :raises RefusedError: as above.
        :raises EngineUnavailableError: as above.
        """
        labels = container_labels(job, self._settings.instance, of=first)
        self._run(second_name(name), job, labels, of=first)

    def _run(
        self, name: str, job: Job, labels: Mapping[str, str], of: str = ""
    ) -> tuple[str, bool]:
        begun = time.monotonic()
        user = image_user(self._engine, job)

        def words(flavor: Flavor) -> Payload:
            volumes = self._volumes.of(job) if flavor.mounts_parts else NO_VOLUMES
            return flavor.job_payload(job, self._settings, labels, user, volumes)

        with no_values(job.env):
            container, warnings = self._creator.create(name, words)
        self._check_warnings([masked(warning, job.env) for warning in warnings], job, container)
        if self._creator.is_superfluous(container, job.jid, of):
            self._creator.withdraw(container)
            return container, False
        if time.monotonic() - begun > self._settings.engine_timeout_s:
            raise EngineUnavailableError("the engine took too long to create a container")
        try:
            with no_values(job.env):
                self._engine.start(container)
        except NotFoundError:
            log.info("job %s was removed while it was started", job.jid)
        except RefusedError as refused:
            self._record_failed_start(name, job, container, of or container, refused)
        else:
            return container, True
        return container, False

    def _check_warnings(self, warnings: list[str], job: Job, container: str) -> None:
        """Nothing is silently ignored, also where the engine does so."""
        dropped = dropped_limit(warnings, job)
        if dropped:
            self._creator.withdraw(container)
            raise RefusedError(
                400,
                f"it would run without a limit ({dropped}); set IGNORE_LIMITS=yes to run jobs "
                "without CPU and memory limits",
            )
        for warning in warnings:
            log.warning("job %s: the engine warns: %s", job.jid, warning)

    def _record_failed_start(
        self, name: str, job: Job, container: str, first: str, refused: RefusedError
    ) -> None:
        """Make sure that the engine keeps why a container could not be started.

        Docker does so by itself, and Podman since version 5. Older versions do not: there a
        placeholder of the end takes the place of the container.

        :raises EngineUnavailableError: it could not be started now; once it counts as abandoned,
            another takes its place.
        """
        with contextlib.suppress(NotFoundError):
            if container_info(self._engine.inspect(container)).status.is_final:
                return
            cause = transient_cause(refused) or transient_start_cause(str(refused))
            if cause:
                message = f"it cannot be started now: {cause.wording} ({refused})"
                raise EngineUnavailableError(message) from refused
            if container != first:
                self._creator.withdraw(container)
            plain = name.removesuffix(second_name(""))
            self._placeholders.record_end(plain, job.jid, first, cannot_start(str(refused)))
