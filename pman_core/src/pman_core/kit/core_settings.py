"""Every environment variable that the core reads itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping

import environ

from pman_core.contract.capabilities import Option
from pman_core.kit.names import LABEL_PREFIX
from pman_core.kit.settings import (
    EngineSettings,
    Secret,
    absolute_path,
    flag,
    names,
    one_of,
    pairs,
    text,
    variable,
    whole_number,
)
from pman_core.kit.user import UserRule, parse_user

#: The limits that IGNORE_LIMITS can name; every request asks for all of them.
_LIMITS = {"cpu": Option.CPU_LIMIT, "memory": Option.MEMORY_LIMIT}


def parse_limits(value: str) -> frozenset[Option]:
    """Which limits are ignored: all or none of them, or those that are named."""
    with contextlib.suppress(ValueError):
        return frozenset(_LIMITS.values() if flag(value) else ())
    words = names(value.lower())
    if not words or not _LIMITS.keys() >= set(words):
        raise ValueError("must be yes, no, cpu, memory or cpu,memory")
    return frozenset(_LIMITS[word] for word in words)


def ignoring(limits: Iterable[Option]) -> str:
    """The setting that makes pman ignore exactly these limits, for operators to copy."""
    wanted = set(limits)
    words = ",".join(word for word, limit in _LIMITS.items() if limit in wanted)
    return f"IGNORE_LIMITS={words or 'no'}"


@environ.config(prefix="", frozen=True)
class CoreSettings(EngineSettings):
    """The settings of the core; those that belong to every job end up in each ``Job``."""

    container_env: str | None = variable(
        "CONTAINER_ENV",
        text,
        None,
        "The backend. Unset means docker; where that is not installed and exactly one other "
        "backend is, that one.",
    )
    storage_type: str | None = variable(
        "STORAGE_TYPE",
        text,
        None,
        "Where job data is: host and nfs are built in, plugins bring others. "
        "Unset means what the backend prefers.",
    )
    storebase_links: str = variable(
        "STOREBASE_LINKS",
        one_of("refuse", "follow"),
        "refuse",
        "With follow, a directory of a job may lead through a symbolic link in the storebase, "
        "which an earlier job may have made, to any place that the engine can mount.",
    )
    remove_jobs: bool = variable(
        "REMOVE_JOBS",
        flag,
        "yes",
        "With no, DELETE answers 204 and does nothing; jobs stay in the engine for you to see.",
    )
    ignore_limits: frozenset[Option] = variable(
        "IGNORE_LIMITS",
        parse_limits,
        "no",
        "The limits that jobs do not get, whatever a request asks for: cpu, memory, "
        "cpu,memory, or yes for both of them. Without a memory limit one job can take all "
        "memory of its machine.",
    )
    job_logs_tail: int = variable(
        "JOB_LOGS_TAIL", whole_number(1), "1000", "How many of a log's last lines are answered."
    )
    job_logs_max_bytes: int = variable(
        "JOB_LOGS_MAX_BYTES",
        whole_number(1, 2**30),
        str(2**20),
        "How many of a log's last bytes are answered at most.",
    )
    job_labels: Mapping[str, str] | None = variable(
        "JOB_LABELS",
        pairs,
        None,
        "Labels for every job, as key=value,other=value.",
    )
    container_user: UserRule | None = variable(
        "CONTAINER_USER",
        parse_user,
        None,
        "UID:GID that jobs run as. Each part is a number, or a range like 1000-2000, of which each "
        "job gets an id that derives from its jid, or empty, which leaves it to the image. A group "
        "alone (:1000) is refused by swarm and cromwell.",
    )
    run_as_user: int | None = variable(
        "SECURITYCONTEXT_RUN_AS_USER",
        whole_number(0, 2**32 - 2),
        None,
        "The uid part of CONTAINER_USER, by its older name.",
    )
    run_as_group: int | None = variable(
        "SECURITYCONTEXT_RUN_AS_GROUP",
        whole_number(0, 2**32 - 2),
        None,
        "The gid part of CONTAINER_USER, by its older name.",
    )
    enable_home_workaround: bool = variable(
        "ENABLE_HOME_WORKAROUND",
        flag,
        "no",
        "With yes, jobs get HOME=/tmp, unless the request sets HOME itself.",
    )
    shm_size: int | None = variable(
        "SHM_SIZE", whole_number(1), None, "Size of /dev/shm in jobs, in MiB."
    )
    timelimit_minutes: int | None = variable(
        "TIMELIMIT_MINUTES",
        whole_number(1, 10**7),
        None,
        "Minutes after which a running job is ended, where its request names no time_limit.",
    )
    max_body_bytes: int = variable(
        "MAX_BODY_BYTES",
        whole_number(1024, 2**30),
        str(16 * 2**20),
        "The largest request body that is read; a larger one is answered with 413.",
    )
    auth_tokens_file: str | None = variable(
        "AUTH_TOKENS_FILE",
        absolute_path,
        None,
        "The file of tokens that clients must show one of; `pman token new NAME` adds one. It is "
        "read again when it changes.",
    )
    auth: str | None = variable(
        "AUTH",
        one_of("none"),
        None,
        "With none, anybody who reaches pman may run jobs and remove those of others. Unset means "
        "that clients need a token, or what an extension knows them by; where neither is set up, "
        "pman serves its own machine only.",
    )
    jobs_visible_to: str = variable(
        "JOBS_VISIBLE_TO",
        one_of("all", "owner"),
        "all",
        "With owner, a client that is no admin sees, cancels and removes only the jobs that it "
        "submitted itself; others count as unknown.",
    )
    requests_per_second: int | None = variable(
        "REQUESTS_PER_SECOND",
        whole_number(1),
        None,
        "How many requests a second one principal may send to one process of pman; more are "
        "answered with 429. Unset means any number.",
    )
    freshness_s: int | None = variable(
        "FRESHNESS",
        whole_number(0, 60),
        None,
        "How old the state of a job in an answer may be, in seconds, where the backend has a feed. "
        "With 0 the engine is asked for each answer. Unset means what the backend declares.",
    )
    replicas: int = variable(
        "REPLICAS",
        whole_number(1),
        "1",
        "How many pman services share this INSTANCE. With more than one, an answer that says that "
        "a job is cancelled or removed is held back for FRESHNESS: the others know it by then.",
    )
    disabled_extensions: tuple[str, ...] | None = variable(
        "DISABLED_EXTENSIONS",
        names,
        None,
        "Names of installed extensions that are not loaded, separated by commas.",
    )
    secret_key: Secret | None = variable(
        "SECRET_KEY",
        Secret,
        None,
        "Flask's secret key. pman itself signs nothing; an extension with routes may.",
    )
    application_mode: str = variable(
        "APPLICATION_MODE",
        one_of("production", "development"),
        "production",
        "With development, pman and its plugins log at level DEBUG instead of INFO.",
    )

    def problems(self) -> Iterator[str]:
        """What is wrong with combinations of these variables."""
        if self.auth and self.auth_tokens_file:
            yield "AUTH=none and AUTH_TOKENS_FILE are both set; unset one of them"
        if self.auth and self.jobs_visible_to == "owner":
            yield "JOBS_VISIBLE_TO=owner needs to know who asks, which AUTH=none rules out"
        if self.auth and self.requests_per_second:
            yield "REQUESTS_PER_SECOND needs to know who asks, which AUTH=none rules out"
        older = self.run_as_user is not None or self.run_as_group is not None
        if self.container_user and older:
            yield ("CONTAINER_USER and SECURITYCONTEXT_RUN_AS_* are both set; keep CONTAINER_USER")
        for label in self.job_labels or ():
            if label.startswith(LABEL_PREFIX):
                yield f"JOB_LABELS must not set {label!r}: {LABEL_PREFIX}* is pman's own"

    @property
    def user_rule(self) -> UserRule | None:
        """Whom jobs run as, under whichever name it was set."""
        if self.run_as_user is None and self.run_as_group is None:
            return self.container_user
        parts = (self.run_as_user, self.run_as_group)
        return parse_user(":".join("" if part is None else str(part) for part in parts))

    @property
    def time_limit_s(self) -> int | None:
        """The time limit of jobs whose request names none, in seconds."""
        return self.timelimit_minutes * 60 if self.timelimit_minutes else None
