"""Brings jobs to run: each once, whoever is killed meanwhile.

Starting a container that has ended runs it again, and no engine has a start that depends on a
state. So **only the process that created a container starts it, once, and at once**. Where
that process was killed in between, another one makes the job's second object and starts that.
The name of each object is a lock: of several creators one succeeds.

A start that failed by a passing cause, or that was cancelled, is such a start too: its container
is not started again, and counts as abandoned.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from pman_core import Job, JobInfo
from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.masking import masked, no_values
from pman_core.kit.names import JID_LABEL
from pman_core.kit.outcome import Outcome, cannot_start
from pman_docker import images
from pman_docker.client import Engine
from pman_docker.current_flavor import CurrentFlavor
from pman_docker.errors import (
    ImageMissingError,
    NameInUseError,
    NotFoundError,
    NotRecordedError,
    RefusedError,
    transient_cause,
)
from pman_docker.flavors import Flavor, Payload
from pman_docker.image_user import image_user
from pman_docker.job_objects import JobObjects, firsts, seconds_of
from pman_docker.labels import (
    CONTAINER,
    KIND,
    OF,
    PLACEHOLDER_IMAGE,
    WAITING,
    container_labels,
    end_labels,
    second_name,
    waiting_labels,
)
from pman_docker.limits import dropped_limit
from pman_docker.placeholder_image import placeholder_image
from pman_docker.settings import DockerSettings
from pman_docker.status import info_of, transient_start_cause

log = logging.getLogger(__name__)

_REPLACED = "another kind of engine has just taken the place of the one that was there"


class Launcher:
    """Creates and starts the objects of jobs."""

    def __init__(self, engine: Engine, current: CurrentFlavor, settings: DockerSettings) -> None:
        self._engine = engine
        self._current = current
        self._settings = settings
        self._objects = JobObjects(engine, settings.instance)

    @property
    def grace(self) -> timedelta:
        """The age at which a container that was never started has lost its creator.

        A creator that took half as long does not start it any more: see ``_run``.
        """
        return timedelta(seconds=2 * self._settings.engine_timeout_s)

    # ------------------------------------------------------------ the first object

    def run(self, name: str, job: Job) -> tuple[str, bool]:
        """Create a job's container and start it; its id, and whether it was started.

        :raises NameInUseError: the job exists, or a foreign object has its name.
        :raises ImageMissingError: the image must be pulled first.
        :raises RefusedError: it cannot be created, in the engine's words; nothing is left of it.
        :raises EngineUnavailableError: it is not started, and gone on with later if it exists.
        """
        return self._run(name, job, container_labels(job, self._settings.instance))

    def create_waiting(self, name: str, job: Job) -> None:
        """Write down that a job waits for its image.

        :raises NameInUseError: as above.
        """
        note = self._note(name, waiting_labels(job, self._settings.instance))
        if self._is_needless(note, job.jid):
            self._withdraw(note)

    # ----------------------------------------------------------- the second object

    def run_second(self, name: str, job: Job, first: str) -> None:
        """Create and start the container that takes the place of a job's first object.

        :raises NameInUseError: there is such an object; see ``clear_abandoned``.
        :raises ImageMissingError: as above.
        :raises RefusedError: as above.
        :raises EngineUnavailableError: as above.
        """
        labels = container_labels(job, self._settings.instance, of=first)
        self._run(second_name(name), job, labels, of=first)

    def record_end(self, name: str, job: Job, first: str, outcome: Outcome) -> None:
        """Write down that a job could not be started; what came first stands.

        :raises NotRecordedError: the engine refuses that now.
        """
        labels = end_labels(job.jid, self._settings.instance, first, outcome)
        self.write(second_name(name), labels)

    def write(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a note that is a second object, unless there is one; what came first stands.

        :raises NotRecordedError: as above.
        """
        jid, first, kind = labels[JID_LABEL], labels[OF], labels[KIND]
        for _ in range(2):
            try:
                note = self._note(name, labels)
                if self._is_needless(note, jid, first, kind):
                    self._engine.remove_wholly(note)
            except NameInUseError:
                if self.clear_abandoned(name, first):
                    continue
            except RefusedError as refused:
                raise NotRecordedError(f"the engine refuses a note of it: {refused}") from refused
            return

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
            log.warning("container %s is none of pman's, and is in the way of a job", name)
            return False
        of_another = labels[OF] != first
        if of_another and not self._objects.is_there(first):
            return False  # this job has been removed, and the name is rightly the other's
        if of_another or (labels.get(KIND) == CONTAINER and self.is_abandoned(second)):
            with contextlib.suppress(RefusedError):  # it runs after all
                self._engine.remove(second["Id"], even_running=of_another)
            return True
        return False

    def clear(self, container: str) -> None:
        """Remove a container that was never started."""
        with contextlib.suppress(RefusedError):  # it runs after all
            self._engine.remove(container, even_running=False)

    def is_abandoned(self, container: Mapping[str, Any]) -> bool:
        """Whether a container was never started, and its creator will not start it either."""
        info = info_of(container)
        if info.status.is_final or info.started or info.created is None:
            return False
        return self._engine.now() - info.created > self.grace

    def never_starts(self, first: Mapping[str, Any]) -> bool:
        """Whether nobody starts a job's first object any more, which has not been started."""
        if first["Config"]["Labels"][KIND] == WAITING:
            return True
        return bool(first["State"].get("Error")) or self.is_abandoned(first)

    def came_late(self, info: JobInfo) -> bool:
        """Whether a container was started when it may have counted as abandoned."""
        if info.started is None or info.created is None:
            return False
        return info.started - info.created > self.grace

    # -------------------------------------------------------------------- the engine

    def _run(
        self, name: str, job: Job, labels: Mapping[str, str], of: str = ""
    ) -> tuple[str, bool]:
        begun = time.monotonic()
        user = image_user(self._engine, job)
        with no_values(job.env):
            container, warnings = self._create(
                name, lambda flavor: flavor.job_payload(job, self._settings, labels, user)
            )
        self._heed([masked(warning, job.env) for warning in warnings], job, container)
        if self._is_needless(container, job.jid, of):
            self._withdraw(container)
            return container, False
        if time.monotonic() - begun > self._settings.engine_timeout_s:
            raise EngineUnavailableError("the engine took too long to create a container")
        try:
            with no_values(job.env):
                self._engine.start(container)
        except NotFoundError:
            log.info("job %s was removed while it was started", job.jid)
        except RefusedError as refused:
            self._tell_failed_start(name, job, container, of or container, refused)
        else:
            return container, True
        return container, False

    def _is_needless(self, made: str, jid: str, of: str = "", kind: str = CONTAINER) -> bool:
        """Whether an object that has just been made has no place.

        Its job has such an object already, which has another name now. Or its first object is gone:
        the job has been removed meanwhile.
        """
        objects = self._objects.of_job(jid)
        if of and all(member["Id"] != of for member in objects):
            return True
        alike = seconds_of(of, objects, kind) if of else firsts(objects)
        return any(member["Id"] != made for member in alike)

    def _heed(self, warnings: list[str], job: Job, container: str) -> None:
        """Nothing is silently ignored, also where the engine does so."""
        dropped = dropped_limit(warnings, job)
        if dropped:
            self._withdraw(container)
            raise RefusedError(
                400,
                f"it would run without a limit ({dropped}); set IGNORE_LIMITS=yes to run jobs "
                "without CPU and memory limits",
            )
        for warning in warnings:
            log.warning("job %s: the engine warns: %s", job.jid, warning)

    def _tell_failed_start(
        self, name: str, job: Job, container: str, first: str, refused: RefusedError
    ) -> None:
        """See that the engine keeps why a container could not be started.

        Docker does so by itself, Podman since 5. Older ones forget: there the container makes way
        for a verdict.

        :raises EngineUnavailableError: it could not be started now; once it counts as abandoned,
            another takes its place.
        """
        with contextlib.suppress(NotFoundError):
            if info_of(self._engine.inspect(container)).status.is_final:
                return
            cause = transient_cause(refused) or transient_start_cause(str(refused))
            if cause:
                message = f"it cannot be started now: {cause.wording} ({refused})"
                raise EngineUnavailableError(message) from refused
            if container != first:
                self._withdraw(container)
            plain = name.removesuffix(second_name(""))
            self.record_end(plain, job, first, cannot_start(str(refused)))

    def _withdraw(self, container: str) -> None:
        """Remove a container that has not been started.

        :raises EngineUnavailableError: it cannot be; it is no refusal of the job.
        """
        try:
            self._engine.remove(container, even_running=False)
        except RefusedError as refused:
            raise EngineUnavailableError(f"a container cannot be removed: {refused}") from refused

    def _note(self, name: str, labels: Mapping[str, str]) -> str:
        def words(flavor: Flavor) -> Payload:
            return flavor.placeholder_payload(PLACEHOLDER_IMAGE, labels)

        try:
            return self._create(name, words)[0]
        except ImageMissingError:
            images.load(self._engine, placeholder_image(PLACEHOLDER_IMAGE))
            return self._create(name, words)[0]

    def _create(self, name: str, words: Callable[[Flavor], Payload]) -> tuple[str, list[str]]:
        """Create a container in the words of the engine that is there.

        :raises EngineUnavailableError: one of the other kind has just taken its place.
        """
        flavor = self._current.flavor()
        try:
            made = flavor.create(self._engine, name, words(flavor))
        except RefusedError as refused:
            if self._current.flavor() is flavor:
                raise
            raise EngineUnavailableError(_REPLACED) from refused
        if self._current.flavor() is not flavor:
            self._withdraw(made[0])
            raise EngineUnavailableError(_REPLACED)
        return made

    def _is_there(self, container: str) -> bool:
        try:
            self._engine.inspect(container)
        except NotFoundError:
            return False
        return True
