"""What a backend reports of a job."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime

import attrs

from pman_core.contract.job import frozen_mapping, shortened


class Status(enum.StrEnum):
    """The states of a job, by the words that the wire uses."""

    #: Accepted, and waiting: for room, for its image, for its turn.
    NOT_STARTED = "notstarted"
    #: Running, or at least one of its workers is.
    STARTED = "started"
    #: The main process of every worker ended with 0.
    SUCCEEDED = "finishedSuccessfully"
    #: Any other end; the message says what happened.
    FAILED = "finishedWithError"
    #: Kept for the wire's sake. CUBE cancels such a job for good, so no backend answers it.
    UNDEFINED = "undefined"

    @property
    def is_final(self) -> bool:
        """Whether a job in this state will never change again."""
        return self in _FINAL


_FINAL = frozenset({Status.SUCCEEDED, Status.FAILED})


class Reason(enum.StrEnum):
    """Why a job failed, or what it waits for."""

    #: The main process ended with another code than 0.
    EXIT_CODE = "exit-code"
    #: A signal ended the main process, and the engine does not know who sent it.
    KILLED = "killed"
    OUT_OF_MEMORY = "out-of-memory"
    TIME_LIMIT = "time-limit"
    #: A client cancelled it.
    CANCELLED = "cancelled"
    #: The job waited for longer than ``START_DEADLINE``.
    START_DEADLINE = "start-deadline"
    #: The engine has no such image and cannot get it.
    IMAGE_NOT_FOUND = "image-not-found"
    #: The engine could not start the job: no such executable, no such directory ...
    CANNOT_START = "cannot-start"
    #: The engine lost the job, or began a second run of it: a node went away, say.
    LOST = "lost"
    #: The image is on its way.
    PULLING = "pulling"
    #: There is no room for the job yet.
    QUEUED = "queued"


@attrs.frozen(kw_only=True)
class JobInfo:
    """One job as the engine has it now.

    :param jid: the id as the client gave it, never the engine's name for it.
    :param image: the image as the client named it.
    :param argv: the command line as the job got it.
    :param status: the state; an end, its exit code and its message never change again.
    :param message: what a person should know: why it failed, what it waits for.
    :param fingerprint: as it was in the :class:`~pman_core.contract.job.Job`.
    :param exit_code: of the main process, once it ended, if the engine knows it.
    :param reason: why it failed or waits, for programs.
    :param created: when the engine took the job (aware, UTC).
    :param started: when it began to run (aware, UTC).
    :param finished: when it ended (aware, UTC).
    :param labels: as they were in the job.
    :param owner: likewise.
    :param native: the engine's own name or id for the job, for operators and for
        ``pman_logs``, which gets this object and need not look the job up again.
    """

    jid: str
    image: str
    argv: tuple[str, ...] = attrs.field(repr=shortened)
    status: Status
    message: str
    fingerprint: str
    exit_code: int | None = None
    reason: Reason | None = None
    created: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    labels: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_mapping, hash=False)
    owner: str | None = None
    native: str = ""


@attrs.frozen(kw_only=True)
class JobFilter:
    """Which jobs a list holds: of this status and owner, if any is given, with all these labels."""

    status: Status | None = None
    owner: str | None = None
    labels: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_mapping, hash=False)

    def matches(self, info: JobInfo) -> bool:
        """Whether ``info`` belongs in the list."""
        if self.status is not None and info.status is not self.status:
            return False
        return self.may_match(info.owner, info.labels)

    def may_match(self, owner: str | None, labels: Mapping[str, str]) -> bool:
        """The same by owner and labels alone, for jobs whose state has not been looked at."""
        if self.owner is not None and owner != self.owner:
            return False
        return all(labels.get(key) == value for key, value in self.labels.items())


@attrs.frozen
class JobPage:
    """A part of a list of jobs.

    :param jobs: the jobs, in the backend's own stable order.
    :param cursor: where the next page begins, opaque to everybody but the backend;
        ``None`` when this is the last page.
    """

    jobs: tuple[JobInfo, ...]
    cursor: str | None = None
