"""How a task ended: pure translation of its state, its words and its exit code.

Only the state shows whether a task failed: the exit code of one that never ran is 0 or absent.
Words as of Docker 20.10.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from pman_core import Reason
from pman_core.kit import outcome
from pman_core.kit.causes import passing_cause, pull_message
from pman_core.kit.outcome import SIGKILLED, Outcome

#: The exit code that a task gets when its engine was killed.
_ENGINE_RESTARTED = 255

_EXIT = re.compile(r"non-zero exit \((\d+)\)")
_NO_IMAGE = re.compile("pull access denied|manifest unknown", re.IGNORECASE)
_NO_START = re.compile("starting container failed|failed to create|executable file not found")

#: Said also of tasks that ran: the swarm looks at them again whenever their node changes.
_UNFIT = "no longer meets constraints"


def outcome_of(task: Mapping[str, Any], image: str, out_of_memory: bool | None = None) -> Outcome:
    """How a task that is over ended.

    :param out_of_memory: whether a killed worker of the job was out of memory, which a task does
        not know; ``None`` if no node could be asked.
    """
    status = task["Status"]
    state = status["State"]
    words = status.get("Err") or status.get("Message") or state
    code = (status.get("ContainerStatus") or {}).get("ExitCode") or None
    if state == "complete":
        return outcome.exited(0)
    if state == "rejected":
        return _rejected(words, image)
    exit_code = exit_code_of(task)
    if exit_code is not None:
        return _exited(exit_code, out_of_memory)
    if state == "failed" and _NO_START.search(words):
        return outcome.cannot_start(words, code)
    if state == "failed":
        return outcome.lost(f"its engine lost the container ({words})", code)
    return outcome.lost(f"the swarm stopped it ({state}); its node was drained or removed", code)


def exit_code_of(task: Mapping[str, Any]) -> int | None:
    """The code that the container of a failed task ended with; ``None`` if it never ran."""
    status = task["Status"]
    found = _EXIT.search(status.get("Err") or "") if status["State"] == "failed" else None
    return int(found[1]) if found else None


def was_killed(task: Mapping[str, Any]) -> bool:
    """Whether SIGKILL ended a task; only its container may know why."""
    return exit_code_of(task) == SIGKILLED


def _rejected(words: str, image: str) -> Outcome:
    if _UNFIT in words:
        why = "its node no longer has the labels or resources that it needs"
        return outcome.lost(f"the swarm stopped it: {why}")
    if "no such image" in words.lower():  # for whatever reason: the registry's words are dropped
        words += "; it is missing, or not allowed, or its registry was not reached"
        return Outcome(f"cannot start: {words}", Reason.IMAGE_NOT_FOUND)
    # Other words may quote paths of the job: the whole table of causes is not for them.
    if _NO_IMAGE.search(words):
        return Outcome(pull_message(image, words), Reason.IMAGE_NOT_FOUND)
    cause = passing_cause(words)
    return outcome.cannot_start(f"{cause.wording} ({words})" if cause else words)


def _exited(code: int, out_of_memory: bool | None) -> Outcome:
    if code == SIGKILLED and out_of_memory:
        return outcome.out_of_memory(code)
    end = outcome.exited(code, probably_memory=out_of_memory is None)
    if code != _ENGINE_RESTARTED:
        return end
    return attrs.evolve(end, message=f"{end.message}, or its engine was restarted")
