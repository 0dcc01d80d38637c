"""Which jobs Kubernetes cannot run, as far as pman can know that without asking it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pman_core import ClaimPath, HostPath, Job, NfsPath, Source
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_core.kit.directories import DirectoryChecker
from pman_core.kit.job_faults import job_faults
from pman_k8s.escaping import escaped
from pman_k8s.label_syntax import is_reserved, label_faults
from pman_k8s.settings import ClaimSettings

#: The highest id that Kubernetes takes (a 32-bit integer with a sign).
_MAX_ID = 2**31 - 1

#: The fields of the request that the directories of a job come from; all others are of the last.
_FIELDS = ("input_dir", "output_dir", "mounts")

#: etcd takes no object over 1.5 MiB; a Job holds more than argv and environment.
_MAX_TEXT_BYTES = 1_000_000


def validate(job: Job, settings: ClaimSettings, directories: DirectoryChecker) -> None:
    """Refuse what can never run.

    :raises InvalidJobError: with what is wrong, for each field of the request.
    :raises EngineUnavailableError: the storebase cannot be looked at.
    """
    faults = {**job_faults(job), **dict(_faults(job))}
    labels = [f"has {fault}" for fault in label_faults(job.labels)]
    labels += [f"has {key!r}, which is Kubernetes' own" for key in job.labels if is_reserved(key)]
    if labels:
        faults["JOB_LABELS"] = "; ".join(labels)
    if faults:
        raise InvalidJobError(faults=faults)
    if settings.storebase_mount:
        _look_at_directories(job, Path(settings.storebase_mount), directories)


def _faults(job: Job) -> Iterator[tuple[str, str]]:
    if job.user is not None and max(job.user.uid or 0, job.user.gid or 0) > _MAX_ID:
        yield "CONTAINER_USER", f"must be at most {_MAX_ID}"
    words = (*job.argv, *job.env, *job.env.values())
    size = sum(len(escaped(word).encode()) for word in words)
    if size > _MAX_TEXT_BYTES:
        yield "args", f"and environment have {size} bytes; Kubernetes takes up to {_MAX_TEXT_BYTES}"


def _look_at_directories(job: Job, storebase: Path, directories: DirectoryChecker) -> None:
    """A kubelet makes a directory that is missing in a volume, and no field forbids that."""
    for index, mount in enumerate(job.mounts):
        directory = _directory_in_volume(mount.source)
        if directory and not directories.is_dir(storebase / directory):
            if not directories.holds_anything(storebase):
                what = "claim" if isinstance(mount.source, ClaimPath) else "storebase"
                raise EngineUnavailableError(
                    f"nothing is in {storebase} (STOREBASE_MOUNT): is the {what} mounted there?"
                )
            field = _FIELDS[min(index, len(_FIELDS) - 1)]
            raise InvalidJobError(
                faults={field: f"there is no directory {directory!r} in the storebase"}
            )


def _directory_in_volume(source: Source) -> str:
    """Empty where the directory is a volume itself: then the kubelet reports that it is missing."""
    return source.sub_path if isinstance(source, ClaimPath | HostPath | NfsPath) else ""
