"""What the engine says of a container, as pman tells of the job: pure translation.

``GET /containers/{id}/json``, Engine API 1.41 to 1.51.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from pman_core import Job, JobInfo, Reason, Status
from pman_core.kit.causes import Cause, passing_cause
from pman_core.kit.masking import masked
from pman_core.kit.names import FINGERPRINT_LABEL, JID_LABEL
from pman_docker.init import NO_INIT, argv_of
from pman_docker.labels import (
    ENDED,
    IMAGE,
    JOB,
    KIND,
    MESSAGE,
    REASON,
    asked_labels,
    job_of,
    owner_of,
)

_NEVER = 1  # the year of a time that has not come

#: The exit code of a job that SIGKILL ended, or that chose it.
SIGKILLED = 137

#: A job that got SIGKILL, or ended with its code, where the engine knows that it was not memory.
KILLED = "killed (137)"

#: The same where the engine does not know: the kernel's out-of-memory killer is the likeliest cause
#: of a SIGKILL that nobody asked for.
PROBABLY_MEMORY = "killed (137), probably out of memory"

SUSPENDED = "suspended: somebody has paused its container"

_RUNNING = ("running", "paused", "restarting", "stopping")

#: Told while an ended container runs again: an end never becomes "started".
RUNS_AGAIN = (
    "lost: it had ended, and somebody started its container again, so its exit code is not known"
)

#: What Docker keeps where the client went away during ``/start``: 26 "context canceled", 28
#: "Canceled: context canceled". Docker cancels a start only before the job's process begins to run
#: (``daemon/start.go``), so nothing of the job has run.
_CANCELLED = Cause(
    "start-cancelled",
    False,
    Reason.QUEUED,
    "its start was cancelled",
    re.compile("(^|: )context cancell?ed$"),
)


def info_of(container: Mapping[str, Any], *, knows_oom: bool = True) -> JobInfo:
    """The job that a container is.

    :param knows_oom: whether the engine knows of each container that ran out of memory.
    """
    labels = container["Config"]["Labels"]
    state = container["State"]
    started = moment(state.get("StartedAt"))
    finished = moment(state.get("FinishedAt"))
    status, message, code, reason = verdict_of(state, knows_oom=knows_oom)
    if state.get("Error"):  # an engine may quote what it was asked
        message = masked(message, env_of(container["Config"]))
    created = moment(container["Created"])
    if reason is Reason.CANNOT_START:
        # Neither engine keeps when a start failed; pman starts what it has just created.
        started, finished = None, finished or created
    if _runs_again(state):
        started = None  # that is of the other run
    if started and finished:
        finished = max(started, finished)  # Podman's clocks for the two differ a little
    return JobInfo(
        jid=labels[JID_LABEL],
        image=labels[IMAGE],
        argv=argv_of(container),
        status=status,
        message=message,
        fingerprint=labels[FINGERPRINT_LABEL],
        exit_code=code,
        reason=reason,
        created=created,
        started=started,
        finished=finished if status.is_final else None,
        labels=asked_labels(labels),
        owner=owner_of(labels),
        native=container["Id"],
    )


def env_of(config: Mapping[str, Any]) -> dict[str, str]:
    """The environment of a container: the job's own, where its labels tell, for the image has some.

    What an image says is no secret, and its paths stand in messages.
    """
    if (config["Labels"] or {}).get(JOB):
        return dict(job_of(config["Labels"]).env)
    return dict(pair.partition("=")[::2] for pair in config.get("Env") or ())


def running_info(job: Job, container: str) -> JobInfo:
    """A job whose container has just been started: no need to look at it again."""
    return JobInfo(
        jid=job.jid,
        image=job.image,
        argv=job.argv,
        status=Status.STARTED,
        message="running",
        fingerprint=job.fingerprint,
        labels=job.labels,
        owner=job.owner,
        native=container,
    )


def waiting_info(
    job: Job, created: datetime | None, why: tuple[Reason, str] | None = None
) -> JobInfo:
    """A job that has no container yet; ``why`` the last attempt failed, if it did."""
    reason, message = why or (Reason.PULLING, f"pulling image {job.image}")
    return JobInfo(
        jid=job.jid,
        image=job.image,
        argv=job.argv,
        status=Status.NOT_STARTED,
        message=message,
        fingerprint=job.fingerprint,
        reason=reason,
        created=created,
        labels=job.labels,
        owner=job.owner,
    )


def with_outcome(first: JobInfo, second: Mapping[str, Any], *, knows_oom: bool = True) -> JobInfo:
    """A job whose first object could not become the running job, by its second object."""
    labels = second["Config"]["Labels"]
    if labels[KIND] != ENDED:
        return attrs.evolve(info_of(second, knows_oom=knows_oom), created=first.created)
    return attrs.evolve(
        first,
        status=Status.FAILED,
        reason=Reason(labels[REASON]),
        message=labels[MESSAGE],
        exit_code=127 if labels[REASON] == Reason.CANNOT_START else None,
        started=None,
        finished=moment(second["Created"]),
    )


def cancelled(info: JobInfo) -> JobInfo:
    """A job that ran, and that a client has ended."""
    return attrs.evolve(
        info, status=Status.FAILED, reason=Reason.CANCELLED, message="cancelled", exit_code=None
    )


def not_run(info: JobInfo, why: str) -> JobInfo:
    """A job whose init ended since it could not run the job's program."""
    return attrs.evolve(
        info,
        reason=Reason.CANNOT_START,
        message=f"cannot start: {info.argv[0]}: {why}",
        # catatonit ends with 1 then; these are a shell's codes, and tini's
        exit_code=127 if "No such file" in why else 126,
        started=None,
    )


def verdict_of(
    state: Mapping[str, Any], *, knows_oom: bool = True
) -> tuple[Status, str, int | None, Reason | None]:
    """Status, message, exit code and reason."""
    word, code = state["Status"], state.get("ExitCode")
    if _is_cut_off(word, state):
        return Status.FAILED, "lost: its machine was restarted", None, Reason.LOST
    if word in _RUNNING:
        if _runs_again(state):
            return Status.FAILED, RUNS_AGAIN, None, Reason.LOST
        message = SUSPENDED if word == "paused" else word
        return Status.STARTED, message, None, None
    # One that was never started and is being removed makes way for another.
    if word in ("created", "configured", "initialized") or (
        word == "removing" and not moment(state.get("StartedAt"))
    ):
        return _not_begun(state.get("Error") or "", code)
    if word in ("exited", "stopped") and code is not None:
        return _end(state, code, knows_oom=knows_oom)
    return Status.FAILED, f"lost: the engine says that it is {word}", code, Reason.LOST


def _not_begun(error: str, code: int | None) -> tuple[Status, str, int | None, Reason | None]:
    """Of a container that never ran; both engines (Podman since 5) keep why its start failed."""
    if not error:
        return Status.NOT_STARTED, "created, not started yet", None, None
    cause = transient_start_cause(error)
    if cause:
        message = f"it will be started again: {cause.wording} ({error})"
        # The image is there, also where the table of causes says "pulling" of a network.
        return Status.NOT_STARTED, message, None, Reason.QUEUED
    return Status.FAILED, f"cannot start: {error}", code or 127, Reason.CANNOT_START


def transient_start_cause(error: str) -> Cause | None:
    """Why a container could not be started, if it can be later.

    :param error: the engine's words.
    """
    for cause in (_CANCELLED, NO_INIT):
        if cause.words.search(error):
            return cause
    return passing_cause(error)


def _runs_again(state: Mapping[str, Any]) -> bool:
    """Whether somebody started a container again after its end: both engines keep when it ended.

    How it ended they forget. pman starts a container once.
    """
    return state["Status"] in _RUNNING and moment(state.get("FinishedAt")) is not None


def _is_cut_off(word: str, state: Mapping[str, Any]) -> bool:
    """Whether a container began and never ended: Podman tells so after its machine is restarted.

    It is as if created anew then, in newer versions as if it had ended.
    """
    began, ended = moment(state.get("StartedAt")), moment(state.get("FinishedAt"))
    return word in ("created", "configured", "exited") and bool(began and not ended)


def _end(
    state: Mapping[str, Any], code: int, *, knows_oom: bool
) -> tuple[Status, str, int, Reason | None]:
    if code == 0:
        return Status.SUCCEEDED, "finished", 0, None
    if state.get("OOMKilled"):
        message = f"out of memory: it wanted more than its memory limit (exit code {code})"
        return Status.FAILED, message, code, Reason.OUT_OF_MEMORY
    if code == SIGKILLED:
        return Status.FAILED, KILLED if knows_oom else PROBABLY_MEMORY, code, Reason.KILLED
    if state.get("Error"):
        return Status.FAILED, f"{state['Error']} (exit code {code})", code, Reason.EXIT_CODE
    return Status.FAILED, f"exited with code {code}", code, Reason.EXIT_CODE


def moment(text: str | None) -> datetime | None:
    """A time of the API, which has up to nine digits of a second; ``None`` if it never came."""
    found = re.fullmatch(r"(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", text or "")
    if not found:
        return None
    whole, fraction, zone = found.groups()
    micro = (fraction or "0")[:6].ljust(6, "0")
    parsed = datetime.fromisoformat(f"{whole}.{micro}{'+00:00' if zone == 'Z' else zone}")
    return None if parsed.year == _NEVER else parsed.astimezone(UTC)
