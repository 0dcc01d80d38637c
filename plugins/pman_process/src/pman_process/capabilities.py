"""What local processes cannot do, or do in a weaker form, and which jobs they cannot run."""

from __future__ import annotations

import os
import pwd

from pman_core import Capabilities, Deviation, HostPath, Job, Option
from pman_core.contract.errors import InvalidJobError
from pman_kit.layout import MARK

#: The only image; it stands for whatever is installed on this machine.
IMAGE = "local"


def capabilities() -> Capabilities:
    """What this backend declares."""
    return Capabilities(
        mounts={HostPath},
        refusals={
            Option.WORKERS: "a job is one process on this machine",
            Option.CPU_LIMIT: "a plain process cannot be kept from using every CPU",
            Option.GPU_LIMIT: "every process sees all GPUs of the machine, so none can be assigned",
            Option.USER: "jobs run as pman's own user",
            Option.MOUNTS: "a process sees a directory at no other path than its own",
            Option.SHM_SIZE: "a process has the shared memory of the whole machine",
        },
        deviations={
            Deviation.REAL_DIRECTORIES: "a process has no mounts",
            Deviation.INPUT_WRITABLE: "a process may write wherever pman's user may",
            Deviation.NO_ISOLATION: "a process sees all that pman's user may see",
            Deviation.MEMORY_PER_PROCESS: "it is RLIMIT_AS, which each process has for itself",
            Deviation.OOM_NOT_TOLD: "the process is refused the memory and ends as it likes",
        },
        notes=(
            f"Jobs run as pman's own user, {_user()}, with all that this user may do: whoever "
            "can reach pman's port can run any command as this user.",
        ),
    )


def validate(job: Job) -> None:
    """Refuse what can never run here.

    :raises InvalidJobError: with what is wrong, for each field of the request.
    """
    faults = {}
    if job.image != IMAGE:
        faults["image"] = (
            f"must be {IMAGE!r}: this pman runs jobs as local processes, without images"
        )
    if not job.argv:
        faults["entrypoint"] = "must name a program: there is no image that could do so"
    wrong = [name for name in job.env if not name or "=" in name or "\0" in name]
    if wrong:
        faults["env"] = f"has names that no process can have: {', '.join(map(repr, wrong))}"
    elif MARK in job.env:
        faults["env"] = f"must not set {MARK}, which is pman's own"
    if faults:
        raise InvalidJobError(faults=faults)


def _user() -> str:
    uid = os.getuid()
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
