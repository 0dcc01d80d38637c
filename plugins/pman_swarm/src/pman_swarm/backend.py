"""The hooks of the backend."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from pman_core import (
    Capabilities,
    Job,
    JobFilter,
    JobInfo,
    JobPage,
    Storage,
    hookimpl,
)
from pman_core.contract.errors import (
    EngineUnavailableError,
    UnknownJobError,
)
from pman_core.kit.paging import page_by_name
from pman_core.kit.settings import load
from pman_core.kit.submission import create_or_find
from pman_docker.client import Engine
from pman_docker.errors import NameInUseError, NotFoundError, RefusedError
from pman_docker.limits import refuse_unlimited
from pman_docker.storage import volume_storage
from pman_swarm.cancel import cancel
from pman_swarm.capabilities import capabilities
from pman_swarm.client import SwarmClient
from pman_swarm.errors import submission_error
from pman_swarm.logs import log_end
from pman_swarm.payload import service_payload
from pman_swarm.reconcile import Reconciler
from pman_swarm.removal import remove
from pman_swarm.settings import SwarmSettings
from pman_swarm.status import taken_info
from pman_swarm.validate import validate

#: Where the engine listens if ``DOCKER_HOST`` is unset.
_DEFAULT_HOST = "unix:///var/run/docker.sock"


class SwarmBackend:
    """Jobs as services of Docker Swarm; ``CONTAINER_ENV=swarm``.

    It keeps nothing in memory that it could not do without: all is on the services.

    :raises SettingsError: a setting is wrong.
    """

    settings_class = SwarmSettings

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._settings = load(SwarmSettings, environ)
        self._engine = Engine(self._settings, self._settings.docker_host or _DEFAULT_HOST)
        self._swarm = SwarmClient(self._engine)
        self._reconciler = Reconciler(self._swarm, self._engine, self._settings)

    @hookimpl
    def pman_capabilities(self) -> Capabilities:
        """See ``capabilities.py``."""
        return capabilities(self._settings)

    @hookimpl
    def pman_validate(self, job: Job) -> None:
        """As for a container; and a group alone, and what is too large for a swarm."""
        validate(job, self._settings)

    @hookimpl
    def pman_resolve_storage(self, storage_type: str) -> Storage | None:
        """Resolve ``docker_local_volume``, on the node that pman talks to."""
        if storage_type != "docker_local_volume":
            return None
        return volume_storage(self._engine, self._settings)

    @hookimpl
    def pman_ping(self) -> str:
        """Ask the engine who it is, and whether it manages a swarm."""
        self._engine.ping()
        return f"swarm of {self._swarm.ask().engine_info.title} at {self._engine.address}"

    @hookimpl
    def pman_resume(self) -> None:
        """Nothing is left undone; but an engine that cannot be used is reported at start."""
        self._swarm.ask()

    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        """Create is the lock, so nothing is looked up before it."""
        # The other nodes cannot be asked; see the notes of ``capabilities.py``.
        refuse_unlimited(job, self._swarm.node().engine_info)
        name = self._reconciler.name(job.jid)
        body = service_payload(name, job, self._settings)

        def create() -> JobInfo | None:
            try:
                return taken_info(job, self._swarm.create(body, job.image))
            except NameInUseError:
                return None
            except RefusedError as refused:
                raise submission_error(refused) from refused

        return create_or_find(
            job.jid,
            name,
            create=create,
            find=lambda: self._reconciler.find(job.jid),
            is_foreign=lambda: self._reconciler.is_foreign(job.jid),
        )

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        """Two calls: the service, and its tasks."""
        info = self._reconciler.find(jid)
        if info is None:
            raise UnknownJobError(jid)
        return info

    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        """The end of the log of each worker."""
        try:
            return log_end(self._swarm, info, tail_lines, max_bytes)
        except NotFoundError:
            raise UnknownJobError(info.jid) from None

    @hookimpl
    def pman_cancel(self, jid: str) -> JobInfo:
        """One update records the end and stops the containers; then their end is waited for."""
        info = cancel(self._swarm, self._reconciler, jid, self._settings.engine_timeout_s)
        if info is None:
            raise UnknownJobError(jid)
        return info

    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        """The service goes at once; its containers are waited for."""
        service = self._reconciler.service(jid)
        if service is None:
            return False
        try:
            remove(self._swarm, service, self._settings.engine_timeout_s)
        except RefusedError as refused:
            raise EngineUnavailableError(f"job {jid!r} cannot be removed: {refused}") from refused
        return True

    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """In the order of names."""
        jobs = self._reconciler.all()
        now = functools.cache(self._engine.now)  # else each job that waits would ask for it
        return page_by_name(
            jobs, lambda name: self._reconciler.look(jobs[name], now), job_filter, limit, cursor
        )
