"""What a backend is asked to run: one complete, validated, immutable job."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from types import MappingProxyType

import attrs

from pman_core.contract.mounts import Mount

#: Longest single argument or environment entry, in bytes, that Linux can carry
#: (``MAX_ARG_STRLEN`` in ``include/uapi/linux/binfmts.h``, less the closing NUL).
MAX_ARGUMENT_BYTES = 131071

MAX_JID_LENGTH = 200

#: Ids that have, or may get, another meaning in a URL.
RESERVED_JIDS = frozenset({".", "..", "jobs", "events"})


def frozen_mapping(value: Mapping[str, str]) -> Mapping[str, str]:
    """A read-only copy of ``value``."""
    return MappingProxyType(dict(value))


def _keys_only(env: Mapping[str, str]) -> str:
    """How an environment is shown: the values may hold tokens."""
    return f"<{', '.join(env)}>"


def shortened(argv: tuple[str, ...]) -> str:
    """How a command line is shown: an argument may be a whole program."""
    return shlex.join(word if len(word) <= 80 else f"{word[:40]} [...]" for word in argv)


@attrs.frozen(kw_only=True)
class Resources:
    """What a job may use. ``None`` means that no limit is set.

    :param workers: how many copies of the job run, each with the limits below.
    :param cpu_millicores: CPU time, in thousandths of one CPU.
    :param memory_mib: memory, in MiB, swap included where the engine can; a hard limit.
    :param gpus: how many GPUs each copy gets.
    """

    workers: int = 1
    cpu_millicores: int | None = None
    memory_mib: int | None = None
    gpus: int = 0


@attrs.frozen(kw_only=True)
class User:
    """The numeric user and group that a job runs as; ``None`` leaves that part to the image."""

    uid: int | None = None
    gid: int | None = None


@attrs.frozen(kw_only=True)
class Job:
    """One run of one image, ready for a backend.

    :param jid: the job's id as the client gave it; :func:`pman_core.kit.names.native_name`
        turns it into a name that an engine can carry.
    :param image: the container image.
    :param argv: the whole command line; it replaces the image's entrypoint and command.
    :param env: environment variables; values may be secret, so they are never shown.
    :param resources: limits, workers and GPUs.
    :param mounts: the directories that the job sees: its input, its output, and any others.
    :param user: whom the job runs as; ``None`` leaves it to the image.
    :param labels: labels to put on the engine's objects, for other tools to select by.
    :param shm_mib: size of ``/dev/shm``, in MiB; ``None`` leaves it to the engine.
    :param time_limit_s: seconds after its start at which the job is ended.
    :param workdir: the absolute path of the directory in which it begins; ``None`` leaves it to
        the image.
    :param owner: the name of the submitter; ``None`` if it is not known. A backend stores
        it as it stores the jid, and gives it back.
    :param fingerprint: identifies the client's request; the backend stores it and
        gives it back in every :class:`~pman_core.contract.info.JobInfo`.
    """

    jid: str
    image: str
    argv: tuple[str, ...] = attrs.field(repr=shortened)
    env: Mapping[str, str] = attrs.field(
        factory=dict, converter=frozen_mapping, repr=_keys_only, hash=False
    )
    resources: Resources = attrs.field(factory=Resources)
    mounts: tuple[Mount, ...] = ()
    user: User | None = None
    labels: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_mapping, hash=False)
    shm_mib: int | None = None
    time_limit_s: int | None = None
    workdir: str | None = None
    owner: str | None = None
    fingerprint: str = ""
