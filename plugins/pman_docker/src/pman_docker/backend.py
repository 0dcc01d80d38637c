"""The hooks of the two backends."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from pman_core import Capabilities, Job, JobFilter, JobInfo, JobPage, Storage, hookimpl
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_core.contract.feed import News
from pman_core.kit.job_info import running, waiting
from pman_core.kit.job_labels import asked_labels, owner_in
from pman_core.kit.names import JID_LABEL
from pman_core.kit.paging import page_by_name
from pman_core.kit.settings import load
from pman_core.kit.submission import create_or_find
from pman_docker.cancel import Canceller
from pman_docker.capabilities import with_settings
from pman_docker.client import Engine
from pman_docker.current_flavor import HINT, CurrentFlavor
from pman_docker.engine_info import EngineInfo
from pman_docker.errors import (
    ImageMissingError,
    NameInUseError,
    NotFoundError,
    RefusedError,
    submission_error,
)
from pman_docker.feed import Feed
from pman_docker.flavors import DOCKER, PODMAN, Flavor
from pman_docker.init import NO_INIT
from pman_docker.labels import KIND, WAITING
from pman_docker.limits import refuse_unlimited
from pman_docker.logs import log_end
from pman_docker.parts import Parts
from pman_docker.reconcile import Reconciler
from pman_docker.removal import remove
from pman_docker.resume import resume
from pman_docker.settings import DockerSettings
from pman_docker.storage import volume_storage
from pman_docker.validate import validate


class DockerBackend:
    """Jobs as containers of Docker Engine; ``CONTAINER_ENV=docker``.

    It keeps nothing in memory that it could not do without: all is on the engine's objects.

    :raises SettingsError: a setting is wrong.
    """

    settings_class = DockerSettings
    flavor: Flavor = DOCKER

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._settings = load(DockerSettings, environ)
        address = self._settings.docker_host or self.flavor.default_host(environ, os.getuid())
        self._engine = Engine(self._settings, address)
        self._current = CurrentFlavor(self._engine, self.flavor)
        self._parts = Parts(self._engine, self._current, self._settings)
        self._reconciler = Reconciler(self._parts)
        self._canceller = Canceller(self._parts, self._reconciler)

    @hookimpl
    def pman_capabilities(self) -> Capabilities:
        """See ``capabilities.py``."""
        return with_settings(self.flavor.capabilities, self._settings)

    @hookimpl
    def pman_validate(self, job: Job) -> None:
        """What can never run is refused."""
        validate(job)

    @hookimpl
    def pman_resolve_storage(self, storage_type: str) -> Storage | None:
        """Resolve ``docker_local_volume``; the volume is looked up when a job needs it."""
        if storage_type != "docker_local_volume":
            return None
        return volume_storage(self._engine, self._settings)

    @hookimpl
    def pman_ping(self) -> str:
        """Ask the engine who it is."""
        self._engine.ping()
        engine_info = self._engine_info()
        swap = "" if engine_info.limits_swap else "; its kernel does not limit swap"
        note = f"; note: {HINT}" if self._current.is_other(engine_info) else ""
        return f"{engine_info.title} at {self._engine.address}{swap}{note}"

    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        """Create is the lock, so nothing is looked up before it.

        Three calls: create, a look for an object of the job that has another name now, start. Where
        directories are parts of a volume, one before for that.
        """
        refuse_unlimited(job, self._engine_info())
        name = self._parts.objects.name(job.jid)
        return create_or_find(
            job.jid,
            name,
            create=lambda: self._create(name, job),
            find=lambda: self._reconciler.find(job.jid),
            is_foreign=lambda: self._parts.objects.is_foreign(job.jid),
        )

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        """One inspect; two where the job's first object did not become the running job."""
        info = self._reconciler.find(jid)
        if info is None:
            raise UnknownJobError(jid)
        return info

    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        """The end of the container's log."""
        if not info.native:
            return b""  # there has never been a container
        try:
            return log_end(
                self._engine,
                info.native,
                tail_lines,
                max_bytes,
                splits_lines=self._current.flavor().splits_lines,
            )
        except NotFoundError:
            raise UnknownJobError(info.jid) from None
        except RefusedError as refused:
            raise EngineUnavailableError(
                f"the engine does not give the log: {refused}"
            ) from refused

    @hookimpl
    def pman_cancel(self, jid: str) -> JobInfo:
        """See ``cancel.py``."""
        return self._canceller.cancel(jid)

    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        """See ``removal.py``."""
        return remove(self._engine, self._parts.objects, jid)

    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """In the order of names."""
        listed = self._parts.objects.of_all()
        summaries = self._parts.objects.by_name(listed)

        def look(name: str) -> JobInfo | None:
            labels = summaries[name]["Labels"]
            # The labels of a waiting job are known only after a look at it, which is a call.
            may_match = job_filter.may_match(owner_in(labels), asked_labels(labels, labels))
            if labels[KIND] != WAITING and not may_match:
                return None
            return self._reconciler.find(labels[JID_LABEL], listed)

        return page_by_name(summaries, look, job_filter, limit, cursor)

    @hookimpl
    def pman_resume(self) -> float | None:
        """See ``resume.py``; an engine of another kind is reported at once."""
        self._current.flavor()
        waits = resume(self._parts, self._reconciler, self._canceller)
        return self._parts.abandonment.grace.total_seconds() if waits else None

    @hookimpl
    def pman_watch(self, freshness_s: float) -> Iterator[News]:
        """See ``feed.py``."""
        return Feed(self._parts, self._reconciler).news(freshness_s)

    def _engine_info(self) -> EngineInfo:
        """What the engine is.

        :raises EngineUnavailableError: it cannot run jobs; see ``CurrentFlavor`` and ``NO_INIT``.
        """
        engine_info = self._current.info()
        if self._settings.job_init and not engine_info.has_init:
            engine_info = self._engine.info(anew=True)  # somebody may have installed one
            if not engine_info.has_init:
                raise EngineUnavailableError(NO_INIT.wording)
        return engine_info

    def _create(self, name: str, job: Job) -> JobInfo | None:
        """The job, if it was started right now; ``None`` if it is to be looked up."""
        try:
            try:
                container, started = self._parts.containers.run(name, job)
                return running(waiting(job, "", native=container)) if started else None
            except ImageMissingError:
                self._parts.placeholders.create_waiting(name, job)
        except NameInUseError:
            pass
        except RefusedError as refused:
            raise submission_error(refused) from refused
        return None


class PodmanBackend(DockerBackend):
    """Jobs as containers of Podman; ``CONTAINER_ENV=podman``."""

    flavor = PODMAN
