"""How a task ended: pure translation of its state, its words and its exit code.

Only the state tells whether a task failed: the exit code of one that never ran is 0 or absent.
Words as of Docker 20.10.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from pman_core import Reason
from pman_core.kit.causes import passing_cause, pull_message
from pman_docker.status import KILLED, PROBABLY_MEMORY

#: The exit code of a process that was ended by SIGKILL, as the out-of-memory killer does it.
_SIGKILLED = 137

_EXIT = re.compile(r"non-zero exit \((\d+)\)")
_NO_IMAGE = re.compile("pull access denied|manifest unknown", re.IGNORECASE)
_NO_START = re.compile("starting container failed|failed to create|executable file not found")

#: Said also of tasks that ran: the swarm looks at them again whenever their node changes.
_UNFIT = "no longer meets constraints"


@attrs.frozen
class Ending:
    """How a task ended, and why."""

    message: str
    reason: Reason | None = None
    exit_code: int | None = None

    @property
    def is_failure(self) -> bool:
        """Whether it is any other end than success."""
        return self.reason is not None


def ending_of(task: Mapping[str, Any], image: str, out_of_memory: bool | None = None) -> Ending:
    """How a task that is over ended.

    :param out_of_memory: whether a killed worker of the job was out of memory, which a task does
        not tell; ``None`` if no node could be asked.
    """
    status = task["Status"]
    state = status["State"]
    words = status.get("Err") or status.get("Message") or state
    code = (status.get("ContainerStatus") or {}).get("ExitCode") or None
    if state == "complete":
        return Ending("finished", exit_code=0)
    if state == "rejected":
        return _rejected(words, image)
    exit_code = exit_code_of(task)
    if exit_code is not None:
        return _exited(exit_code, out_of_memory)
    if state == "failed" and _NO_START.search(words):
        return Ending(f"cannot start: {words}", Reason.CANNOT_START, code)
    if state == "failed":
        return Ending(f"lost: its engine lost the container ({words})", Reason.LOST, code)
    return Ending(
        f"lost: the swarm stopped it ({state}); its node was drained or removed", Reason.LOST, code
    )


def exit_code_of(task: Mapping[str, Any]) -> int | None:
    """The code that the container of a failed task ended with; ``None`` if it never ran."""
    status = task["Status"]
    found = _EXIT.search(status.get("Err") or "") if status["State"] == "failed" else None
    return int(found[1]) if found else None


def was_killed(task: Mapping[str, Any]) -> bool:
    """Whether a task was killed by nobody knows whom; its container may tell."""
    return exit_code_of(task) == _SIGKILLED


def _rejected(words: str, image: str) -> Ending:
    if _UNFIT in words:
        why = "its node no longer has the labels or resources that it needs"
        return Ending(f"lost: the swarm stopped it: {why}", Reason.LOST)
    if "no such image" in words.lower():  # for whatever reason: the registry's words are dropped
        words += "; it is missing, or not allowed, or its registry was not reached"
        return Ending(f"cannot start: {words}", Reason.IMAGE_NOT_FOUND)
    # Other words may quote paths of the job: the whole table of causes is not for them.
    if _NO_IMAGE.search(words):
        return Ending(pull_message(image, words), Reason.IMAGE_NOT_FOUND)
    cause = passing_cause(words)
    told = f"{cause.wording} ({words})" if cause else words
    return Ending(f"cannot start: {told}", Reason.CANNOT_START)


def _exited(code: int, out_of_memory: bool | None) -> Ending:
    if code == _SIGKILLED and out_of_memory:
        message = f"out of memory: it wanted more than its memory limit (exit code {code})"
        return Ending(message, Reason.OUT_OF_MEMORY, code)
    if code == _SIGKILLED:
        return Ending(PROBABLY_MEMORY if out_of_memory is None else KILLED, Reason.KILLED, code)
    # What a container is told to have ended with when its engine was killed.
    restarted = ", or its engine was restarted" if code == 255 else ""
    return Ending(f"exited with code {code}{restarted}", Reason.EXIT_CODE, code)
