"""What is refused without asking Cromwell."""

from __future__ import annotations

import re
from posixpath import dirname

from pman_core import Job
from pman_core.contract.errors import InvalidJobError
from pman_core.kit.job_faults import job_faults
from pman_cromwell.settings import lies_in

#: SLURM counts the scripts that run the job, which need some of it.
LEAST_MEMORY_MIB = 64

#: The only image of the runtime none, as with ``CONTAINER_ENV=process``.
NO_IMAGE = "local"

_LONGEST_LABEL = 255  # of both parts, core/.../labels/Label.scala


def validate(job: Job, runtime: str, folder: str) -> None:
    """Refuse what can never run, and what must not.

    :param folder: the jobs folder of this instance; nothing in its parent is for jobs.
    :raises InvalidJobError: with what is wrong, for each field of the request.
    """
    faults = job_faults(job)
    if runtime == "none" and job.image != NO_IMAGE:
        faults["image"] = f"must be {NO_IMAGE}: there are no images with CROMWELL_RUNTIME=none"
    if not re.fullmatch(r"[A-Za-z0-9][\w.:/@+-]*", job.image, re.ASCII):
        faults["image"] = "is no name of an image"
    own = dirname(folder)
    for number, mount in enumerate(job.mounts):
        if lies_in(mount.host_path, own) or lies_in(own, mount.host_path):
            first_two = "input_dir" if mount.read_only else "output_dir"
            field = first_two if number < 2 else "mounts"
            faults[field] = "is, holds or lies in the folder of pman's own records: name another"
    if runtime == "podman" and job.resources.workers > 1 and job.resources.gpus:
        faults["gpu_limit"] = "must be 0 where number_of_workers is more than 1"
    memory = job.resources.memory_mib
    if memory is not None and memory < LEAST_MEMORY_MIB:
        faults["memory_limit"] = f"must be at least {LEAST_MEMORY_MIB} (MiB)"
    if job.user is not None and job.user.uid is None and job.user.gid is not None:
        faults["CONTAINER_USER"] = (
            "names a group alone; Podman would run the job as root of its node then, whatever user "
            "the image has, so name a user as well (1000:1000)"
        )
    for key, value in job.labels.items():
        if not key or max(len(key), len(value)) > _LONGEST_LABEL:
            faults["JOB_LABELS"] = f"keys and values have at most {_LONGEST_LABEL} characters"
    if faults:
        raise InvalidJobError(faults=faults)
