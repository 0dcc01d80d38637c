"""What jobs without a container cannot do, or do in a weaker form."""

from __future__ import annotations

import os
import pwd

from pman_core import Capabilities, Deviation, HostPath, Option


def capabilities(freshness_s: float | None = None) -> Capabilities:
    """What a backend declares whose jobs run under supervisors as pman's own user.

    :param freshness_s: how old the news of its feed may be, in seconds, if it has ``pman_watch``.
    """
    return Capabilities(
        mounts={HostPath},
        freshness_s=freshness_s,
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
            Deviation.LATE_LINKS_OUT: "a process may read wherever pman's user may",
            Deviation.LATE_LINKS_WITHIN: "a process may read wherever pman's user may",
            Deviation.NO_ISOLATION: "a process sees all that pman's user may see",
            Deviation.MEMORY_PER_PROCESS: "it is RLIMIT_AS, which each process has for itself",
            Deviation.OOM_NOT_REPORTED: "the process is refused the memory and ends as it likes",
        },
        notes=(
            f"Jobs run as pman's own user, {_user()}, with all that this user may do: anybody who "
            "can reach pman's port can run any command as this user.",
        ),
    )


def _user() -> str:
    uid = os.getuid()
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
