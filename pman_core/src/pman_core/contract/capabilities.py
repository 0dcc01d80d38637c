"""What a backend declares that it cannot do, or does in a weaker form."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

import attrs

from pman_core.contract.mounts import Source

Name = TypeVar("Name", bound=enum.StrEnum)


class Option(enum.StrEnum):
    """An option that a backend may refuse, by the name under which people ask for it."""

    WORKERS = "number_of_workers"
    CPU_LIMIT = "cpu_limit"
    MEMORY_LIMIT = "memory_limit"
    GPU_LIMIT = "gpu_limit"
    USER = "CONTAINER_USER"
    LABELS = "JOB_LABELS"
    SHM_SIZE = "SHM_SIZE"
    TIME_LIMIT = "time_limit"
    WORKDIR = "workdir"
    MOUNTS = "mounts"


class Deviation(enum.StrEnum):
    """A weaker form of a promise. Each one changes exactly one conformance test.

    ``meaning`` says what it is, for a person; the backend says why it is so.
    """

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Deviation:
        """A member that is its value and knows its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    LATE_LINKS_OUT = (
        "late-links-out",
        "a link that takes the place of a directory after a job was accepted may lead the job to "
        "any folder of the machine",
    )
    LATE_LINKS_WITHIN = (
        "late-links-within",
        "a link that takes the place of a directory after a job was accepted may lead the job to "
        "the directories of another job",
    )
    REAL_DIRECTORIES = (
        "real-directories",
        "the job sees the real directories, not /share/incoming and /share/outgoing",
    )
    INPUT_WRITABLE = ("input-writable", "the job can write into its input directory")
    NO_ISOLATION = (
        "no-isolation",
        "the job can reach files of the machine other than its own directories",
    )
    PRIVILEGES_GAINABLE = (
        "privileges-gainable",
        "a setuid program may give the job privileges that its user does not have",
    )
    MEMORY_PER_PROCESS = (
        "memory-per-process",
        "the memory limit holds for each process of a job, not for their sum",
    )
    SWAP_NOT_LIMITED = ("swap-not-limited", "swap is not counted by the memory limit")
    OOM_NOT_REPORTED = (
        "oom-not-reported",
        "a job that is out of memory fails, but the message may not say why",
    )
    WHOLE_CPUS = ("whole-cpus", "a CPU limit is rounded up to whole CPUs")
    LOG_ORDER = ("log-order", "lines of stdout and stderr may change places with one another")
    LOG_BYTES = ("log-bytes", "bytes of a log that are no UTF-8 may be replaced by the engine")
    MISSING_DIRECTORY_MADE = (
        "missing-directory-made",
        "a directory of a job that is missing may be made, empty, and not reported",
    )
    WORKDIR_MADE = (
        "workdir-made",
        "a working directory that the image does not have is made, empty, and not reported",
    )
    LOG_TAIL = (
        "log-tail",
        "the end of a log that is longer than JOB_LOGS_MAX_BYTES may have newlines in wrong places",
    )
    NO_INIT = (
        "no-init",
        "no init runs before a job: processes that lose their parent are not reaped, and a signal "
        "that the main process sends itself may have no effect",
    )
    RESTARTABLE = (
        "restartable",
        "starting an ended job again in the engine changes what is reported of it",
    )
    PULL_NOT_RETRIED = (
        "pull-not-retried",
        "an image that cannot be had now fails its job at once, and the message may not say why",
    )
    START_NOT_REPORTED = (
        "start-not-reported",
        "the start of a job is reported while it runs, and not after its end",
    )
    BROKEN_OFF_SUBMIT = (
        "broken-off-submit",
        "a submission that a kill of pman broke off is gone on with when the client repeats it",
    )
    SECOND_RUN_WINDOW = (
        "second-run-window",
        "where the engine replaces a lost run by itself, there is a window in which both run",
    )


def _kinds(value: Iterable[type[Source]]) -> frozenset[type[Source]]:
    kinds = frozenset(value)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, Source)):
            raise ValueError(f"{kind!r} is no kind of source; mounts holds classes like HostPath")
    return kinds


def _option_reasons(value: Mapping[Option, str]) -> Mapping[Option, str]:
    return MappingProxyType({_member(Option, name): reason for name, reason in value.items()})


def _deviation_reasons(value: Mapping[Deviation, str]) -> Mapping[Deviation, str]:
    return MappingProxyType({_member(Deviation, name): reason for name, reason in value.items()})


def _member(kind: type[Name], name: str) -> Name:
    """The member that has this name; a misspelt one would otherwise count for nothing."""
    try:
        return kind(name)
    except ValueError:
        known = ", ".join(kind)
        raise ValueError(f"{name!r} is no {kind.__name__.lower()}; there are: {known}") from None


@attrs.frozen(kw_only=True)
class Capabilities:
    """What an operator and the core must know about a backend before it gets a job.

    :param mounts: the kinds of source that it can mount.
    :param default_storage: the ``STORAGE_TYPE`` that holds where none is set.
    :param refusals: the options that it cannot honour, each with the reason. Asked for
        by a request, such an option is a 400; coming from settings, it ends the start.
    :param deviations: the promises that it keeps in a weaker form, each with the reason.
    :param freshness_s: how old the news of its feed (``pman_watch``) may become, in seconds;
        ``None`` if it has no feed.
    :param notes: sentences that an operator should read in ``pman check``.
    :raises ValueError: there is no such option or deviation, or a kind of source is none.
    """

    mounts: frozenset[type[Source]] = attrs.field(converter=_kinds)
    default_storage: str = "host"
    refusals: Mapping[Option, str] = attrs.field(
        factory=dict, converter=_option_reasons, hash=False
    )
    deviations: Mapping[Deviation, str] = attrs.field(
        factory=dict, converter=_deviation_reasons, hash=False
    )
    freshness_s: float | None = None
    notes: tuple[str, ...] = ()
