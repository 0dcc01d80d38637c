"""The hooks of the backend."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from functools import partial

from pman_core import Capabilities, Job, JobFilter, JobInfo, JobPage, hookimpl
from pman_core.contract.feed import News
from pman_core.kit.settings import load
from pman_kit.capabilities import capabilities
from pman_kit.jobs import SupervisedJobs
from pman_kit.settings import base_environment, state_folder
from pman_kit.spawn import spawn
from pman_kit.store import JobStore
from pman_kit.validate import validate
from pman_process.settings import ProcessSettings

#: How old the news of the feed may be, in seconds: the state folder is looked at twice in that.
_FRESHNESS_S = 2.0


class ProcessBackend:
    """Jobs as local processes; ``CONTAINER_ENV=process``.

    It keeps nothing in memory: each answer comes from the state folder.

    :raises SettingsError: a setting is wrong, or the state folder cannot be used.
    """

    settings_class = ProcessSettings

    def __init__(self, environ: Mapping[str, str]) -> None:
        settings = load(ProcessSettings, environ)
        root = state_folder(settings.state_dir, environ, "pman-process")
        store = JobStore(root, "PROCESS_STATE_DIR")
        store.prepare()
        self._jobs = SupervisedJobs(
            store=store,
            settings=settings,
            launch=partial(spawn, timeout_s=settings.engine_timeout_s),
            environment=base_environment(settings.pass_env, environ),
            log_max_mib=settings.log_max_mib,
        )

    @hookimpl
    def pman_capabilities(self) -> Capabilities:
        """A plain process has no mounts, no isolation, and no CPU limit."""
        return capabilities(_FRESHNESS_S)

    @hookimpl
    def pman_validate(self, job: Job) -> None:
        """The image must be ``local``: there are none."""
        validate(job)

    @hookimpl
    def pman_ping(self) -> str:
        """Write to the state folder."""
        self._jobs.check()
        return f"local processes on {platform.node()} ({platform.system()} {platform.release()})"

    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        """Create the job's folder, and start its supervisor."""
        return self._jobs.submit(job)

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        """Read the job's records."""
        return self._jobs.status(jid)

    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        """Read the end of the log."""
        return self._jobs.logs(info, tail_lines, max_bytes)

    @hookimpl
    def pman_cancel(self, jid: str) -> JobInfo:
        """Have the supervisor end the job, and read the end."""
        return self._jobs.cancel(jid)

    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        """Have the supervisor end the job, then delete the folder."""
        return self._jobs.remove(jid)

    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """In the order of names."""
        return self._jobs.page(job_filter, limit, cursor)

    @hookimpl
    def pman_watch(self, freshness_s: float) -> Iterator[News]:
        """Look at the state folder, again and again."""
        return self._jobs.watch(freshness_s)

    @hookimpl
    def pman_resume(self) -> None:
        """Start what a killed pman left without a supervisor."""
        self._jobs.resume()
