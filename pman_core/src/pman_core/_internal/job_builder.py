"""Makes the complete job out of a request, the settings and the storage."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pman_core._internal.fingerprint import fingerprint
from pman_core.contract.capabilities import Capabilities, Deviation, Option
from pman_core.contract.errors import InvalidJobError, UnsupportedError
from pman_core.contract.job import Job, Resources, User
from pman_core.contract.mounts import INPUT_TARGET, OUTPUT_TARGET, HostPath, Mount
from pman_core.contract.request import JobRequest, command_line
from pman_core.contract.storage import Storage
from pman_core.kit.core_settings import CoreSettings, ignoring

#: The image of the sample job that a backend's ``pman_validate`` gets at start.
SAMPLE_IMAGE = "local"

#: What ENABLE_HOME_WORKAROUND means: a folder that any user can write, in every image.
_WORKAROUND_HOME = "/tmp"  # noqa: S108


def build_job(
    request: JobRequest,
    settings: CoreSettings,
    storage: Storage,
    capabilities: Capabilities,
    owner: str | None = None,
) -> Job:
    """The job that ``request`` asks for, with all that settings say of every job.

    :param owner: the name of the one who asks.
    :raises InvalidJobError: a directory is not acceptable.
    :raises EngineUnavailableError: the storage must ask an engine, which does not answer.
    """
    mounts = storage.mounts(request.input_dir, request.output_dir)
    ignored = settings.ignore_limits
    return Job(
        jid=request.jid,
        image=request.image,
        argv=command_line(request, *job_directories(mounts, capabilities)),
        env={**_own_env(settings), **request.env},
        resources=Resources(
            workers=request.number_of_workers,
            cpu_millicores=None if Option.CPU_LIMIT in ignored else request.cpu_limit,
            memory_mib=None if Option.MEMORY_LIMIT in ignored else request.memory_limit,
            gpus=request.gpu_limit,
        ),
        mounts=(*mounts, *_more_mounts(request, storage)),
        workdir=request.workdir,
        owner=owner,
        user=_user(settings, request.jid),
        labels=settings.job_labels or {},
        shm_mib=settings.shm_size,
        time_limit_s=request.time_limit or settings.time_limit_s,
        fingerprint=fingerprint(request),
    )


def _more_mounts(request: JobRequest, storage: Storage) -> list[Mount]:
    taken = {INPUT_TARGET, OUTPUT_TARGET, "/"}
    made = []
    for wanted in request.mounts:
        mount = storage.mount(wanted.directory, wanted.target, read_only=wanted.read_only)
        if mount.target in taken:
            raise InvalidJobError(f"the target {mount.target!r} of a mount is taken")
        taken.add(mount.target)
        made.append(mount)
    return made


def sample_job(settings: CoreSettings) -> Job:
    """A job that holds only what settings put into every job."""
    return Job(
        jid="sample",
        image=SAMPLE_IMAGE,
        argv=("true",),
        env=_own_env(settings),
        user=_user(settings, "sample"),
        labels=settings.job_labels or {},
        shm_mib=settings.shm_size,
        time_limit_s=settings.time_limit_s,
    )


def _own_env(settings: CoreSettings) -> dict[str, str]:
    return {"HOME": _WORKAROUND_HOME} if settings.enable_home_workaround else {}


def _user(settings: CoreSettings, jid: str) -> User | None:
    return settings.user_rule.for_job(jid) if settings.user_rule else None


def job_directories(mounts: tuple[Mount, Mount], capabilities: Capabilities) -> tuple[str, str]:
    """The paths at which a job finds its input and its output."""
    if Deviation.REAL_DIRECTORIES not in capabilities.deviations:
        return INPUT_TARGET, OUTPUT_TARGET
    sources = [mount.source for mount in mounts]
    paths = [source.path for source in sources if isinstance(source, HostPath)]
    if len(paths) != len(sources):
        raise UnsupportedError("jobs that see the real directories need STORAGE_TYPE=host")
    return paths[0], paths[1]


def asked_options(job: Job) -> Iterator[Option]:
    """The options that a job asks for, and that a backend might refuse."""
    asked = {
        Option.WORKERS: job.resources.workers != 1,
        Option.CPU_LIMIT: job.resources.cpu_millicores is not None,
        Option.MEMORY_LIMIT: job.resources.memory_mib is not None,
        Option.GPU_LIMIT: job.resources.gpus != 0,
        Option.USER: job.user is not None,
        Option.LABELS: bool(job.labels),
        Option.SHM_SIZE: job.shm_mib is not None,
        Option.TIME_LIMIT: job.time_limit_s is not None,
        Option.WORKDIR: job.workdir is not None,
        Option.MOUNTS: len(job.mounts) > 2,
    }
    return (option for option, wanted in asked.items() if wanted)


def refused_options(
    job: Job, capabilities: Capabilities, ignored: Collection[Option] = ()
) -> dict[str, str]:
    """The options of a job that the backend refuses, each with its reason.

    :param ignored: the limits that settings ignore already.
    """
    refused = [option for option in asked_options(job) if option in capabilities.refusals]
    limits = {Option.CPU_LIMIT, Option.MEMORY_LIMIT}.intersection(refused).difference(ignored)
    hint = f"; set {ignoring(limits.union(ignored))} to run jobs without this limit"
    return {
        option.value: f"is not supported by this backend: {capabilities.refusals[option]}"
        + (hint if option in limits else "")
        for option in refused
    }
