"""What the engine says of a container -> the job info: pure translation.

``GET /containers/{id}/json``, Engine API 1.41 to 1.51.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from pman_core import JobInfo, Reason, Status
from pman_core.kit import outcome
from pman_core.kit.causes import Cause, passing_cause
from pman_core.kit.job_info import ended, running
from pman_core.kit.job_labels import IMAGE_LABEL, asked_labels, owner_in
from pman_core.kit.masking import masked
from pman_core.kit.names import FINGERPRINT_LABEL, JID_LABEL
from pman_core.kit.outcome import Outcome
from pman_core.kit.times import parsed_time
from pman_docker.errors import without_directory
from pman_docker.init import NO_INIT, argv_of
from pman_docker.labels import ENDED, JOB, KIND, MESSAGE, REASON, job_of

SUSPENDED = "suspended: somebody has paused its container"

#: States of a container that is being removed. A look may meet "dead" just after its removal:
#: Docker takes "removing" back when all else is done (``daemon/delete.go``).
_MAKING_WAY = ("removing", "dead")

_RUNNING = ("running", "paused", "restarting", "stopping")

#: Reported while an ended container runs again: an end never becomes "started".
RUNS_AGAIN = "it had ended, and somebody started its container again, so its exit code is not known"

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


def container_info(container: Mapping[str, Any], *, knows_oom: bool = True) -> JobInfo:
    """The job that a container is.

    :param knows_oom: whether the engine knows of each container that ran out of memory.
    """
    state = container["State"]
    info = _created_info(container)
    end = outcome_of(state, knows_oom=knows_oom)
    if end is None and state["Status"] in _RUNNING:
        message = SUSPENDED if state["Status"] == "paused" else state["Status"]
        return running(info, parsed_time(state.get("StartedAt")), message)
    if end is None:
        message, reason = _why_waiting(state.get("Error") or "")
        return attrs.evolve(
            info,
            message=_masked(message, container),
            reason=reason,
            # A container that is started again has begun before: it does not count as abandoned.
            started=parsed_time(state.get("StartedAt")),
        )
    finished = parsed_time(state.get("FinishedAt"))
    if end.reason is Reason.CANNOT_START:
        # Neither engine keeps when a start failed; pman starts what it has just created.
        finished = finished or info.created
    # The time of start is of the other run where it runs again.
    started = None if _runs_again(state) else parsed_time(state.get("StartedAt"))
    end = attrs.evolve(end, message=_masked(end.message, container))
    return ended(attrs.evolve(info, started=started), end, finished)


def _created_info(container: Mapping[str, Any]) -> JobInfo:
    """The job of a container as it was when it was created."""
    labels = container["Config"]["Labels"]
    return JobInfo(
        jid=labels[JID_LABEL],
        image=labels[IMAGE_LABEL],
        argv=argv_of(container),
        status=Status.NOT_STARTED,
        message="created",
        fingerprint=labels[FINGERPRINT_LABEL],
        created=parsed_time(container["Created"]),
        labels=asked_labels(labels, labels),
        owner=owner_in(labels),
        native=container["Id"],
    )


def _masked(message: str, container: Mapping[str, Any]) -> str:
    """The message without secrets: an engine may quote what it was asked."""
    if not container["State"].get("Error"):
        return message
    return masked(message, env_of(container["Config"]))


def env_of(config: Mapping[str, Any]) -> dict[str, str]:
    """The environment of a container; the job's own, if its labels hold the job.

    Otherwise the variables of the image are in it as well. Those are no secrets, and messages may
    hold their paths.
    """
    if (config["Labels"] or {}).get(JOB):
        return dict(job_of(config["Labels"]).env)
    return dict(pair.partition("=")[::2] for pair in config.get("Env") or ())


def with_second(first: JobInfo, second: Mapping[str, Any], *, knows_oom: bool = True) -> JobInfo:
    """A job whose first object could not become the running job, by its second object."""
    labels = second["Config"]["Labels"]
    if labels[KIND] != ENDED:
        return attrs.evolve(container_info(second, knows_oom=knows_oom), created=first.created)
    reason = Reason(labels[REASON])
    end = Outcome(labels[MESSAGE], reason, 127 if reason is Reason.CANNOT_START else None)
    return ended(attrs.evolve(first, started=None), end, parsed_time(second["Created"]))


def unstarted_since(container: Mapping[str, Any]) -> datetime | None:
    """When a container was created that nobody has started; ``None`` for any other."""
    state = container["State"]
    if outcome_of(state) or parsed_time(state.get("StartedAt")):
        return None
    return parsed_time(container["Created"])


def status_of(state: Mapping[str, Any]) -> Status:
    """How far a container is."""
    end = outcome_of(state)
    if end:
        return end.status
    return Status.STARTED if state["Status"] in _RUNNING else Status.NOT_STARTED


def outcome_of(state: Mapping[str, Any], *, knows_oom: bool = True) -> Outcome | None:
    """How a container ended; ``None`` for one that runs, or has not begun."""
    word, code = state["Status"], state.get("ExitCode")
    if _is_cut_off(word, state):
        return outcome.lost("its machine was restarted")
    if word in _RUNNING:
        return outcome.lost(RUNS_AGAIN) if _runs_again(state) else None
    # One that was never started and is being removed makes way for another.
    if word in ("created", "configured", "initialized") or (
        word in _MAKING_WAY and not parsed_time(state.get("StartedAt"))
    ):
        return _failed_start(state.get("Error") or "", code)
    if word in ("exited", "stopped") and code is not None:
        return _end(state, code, knows_oom=knows_oom)
    return outcome.lost(f"the engine says that it is {word}", code)


def _failed_start(error: str, code: int | None) -> Outcome | None:
    """Of a container that never ran; both engines (Podman since 5) keep why its start failed."""
    if not error or transient_start_cause(error):
        return None
    return outcome.cannot_start(error, code or 127)


def _why_waiting(error: str) -> tuple[str, Reason | None]:
    """The message and the reason of a container that has not begun."""
    cause = transient_start_cause(error) if error else None
    if not cause:
        return "created, not started yet", None
    # The image is there, also where the table of causes says "pulling" of a network.
    return f"it will be started again: {cause.wording} ({error})", Reason.QUEUED


def transient_start_cause(error: str) -> Cause | None:
    """Why a container could not be started, if it can be later.

    :param error: the engine's words.
    """
    for cause in (_CANCELLED, NO_INIT):
        if cause.words.search(error):
            return cause
    return passing_cause(without_directory(error))


def _runs_again(state: Mapping[str, Any]) -> bool:
    """Whether somebody started a container again after its end: both engines keep when it ended.

    How it ended they forget. pman starts a container once.
    """
    return state["Status"] in _RUNNING and parsed_time(state.get("FinishedAt")) is not None


def _is_cut_off(word: str, state: Mapping[str, Any]) -> bool:
    """Whether a container began and never ended: so says Podman after its machine is restarted.

    It is as if created anew then, in newer versions as if it had ended.
    """
    began, ended = parsed_time(state.get("StartedAt")), parsed_time(state.get("FinishedAt"))
    return word in ("created", "configured", "exited") and bool(began and not ended)


def _end(state: Mapping[str, Any], code: int, *, knows_oom: bool) -> Outcome:
    end = outcome.exited(code, probably_memory=not knows_oom)
    if code and state.get("OOMKilled"):
        return outcome.out_of_memory(code)
    if end.reason is Reason.EXIT_CODE and state.get("Error"):
        return attrs.evolve(end, message=f"{state['Error']} (exit code {code})")
    return end
