"""What a pod says of its run: pure translation.

API reference, PodStatus and ContainerStatus; the words in ``reason`` are the kubelet's and of the
container runtimes (1.20 with Docker, containerd and CRI-O since).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from pman_core import Reason
from pman_k8s.containers import NOT_BEGUN, Failure, end_of
from pman_k8s.moments import moment
from pman_k8s.payload import CONTAINER
from pman_k8s.waiting import Waiting, container_waits, pod_waits

Object = Mapping[str, Any]

#: Of pods that their node ended, or that were taken from it.
_TAKEN = (
    "Evicted",
    "NodeLost",
    "NodeShutdown",
    "Shutdown",
    "Terminated",
    "Preempting",
    "Preempted",
)


@attrs.frozen
class Pod:
    """One run of a job, or one worker of it."""

    found: Object = attrs.field(repr=False)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.found["metadata"]["name"])

    @property
    def is_deleted(self) -> bool:
        """Whether somebody has deleted it; it may run a little longer."""
        return bool(self.found["metadata"].get("deletionTimestamp"))

    @property
    def phase(self) -> str:
        """Pending, Running, Succeeded, Failed or Unknown."""
        return str(self._status.get("phase", "Pending"))

    @property
    def created(self) -> datetime | None:
        """When it was made."""
        return moment(self.found["metadata"].get("creationTimestamp"))

    @property
    def taken(self) -> datetime | None:
        """When its node began to make it."""
        return moment(self._status.get("startTime"))

    @property
    def started(self) -> datetime | None:
        """When its process began; ``None`` if it has not."""
        state = self._state
        if state.get("terminated", {}).get("reason") in NOT_BEGUN:
            return None
        part = state.get("running") or state.get("terminated") or {}
        return moment(part.get("startedAt"))

    @property
    def finished(self) -> datetime | None:
        """When its process ended."""
        return moment((self._state.get("terminated") or {}).get("finishedAt"))

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it runs any more: a phase may be ahead of its containers."""
        states = [status.get("state") or {} for status in self._statuses]
        ended = bool(states) and all("terminated" in state for state in states)
        return self.phase in ("Succeeded", "Failed") and ended

    @property
    def is_out_of_touch(self) -> bool:
        """Whether its node does not answer: the cluster then says, for no reason, not ready."""
        return any(
            condition["type"] == "Ready"
            and condition["status"] == "False"
            and not condition.get("reason")
            for condition in self._status.get("conditions") or ()
        )

    @property
    def waits(self) -> Waiting:
        """What it waits for."""
        waiting = self._state.get("waiting")
        if waiting and waiting.get("reason"):
            return container_waits(waiting)
        return pod_waits(self._status)

    def failure(self) -> Failure:
        """Why it failed; of one that has."""
        word, words = self._status.get("reason", ""), self._status.get("message", "")
        if word == "DeadlineExceeded":
            limit = self.found["spec"].get("activeDeadlineSeconds")
            began = "" if self.started else ", before it had begun"
            message = f"time limit: it was ended after {limit} s{began} (DeadlineExceeded)"
            return Failure(reason=Reason.TIME_LIMIT, message=message, exit_code=self._code)
        if word in _TAKEN:
            message = f"lost: {word}: {words or 'its node took it away'}"
            return Failure(reason=Reason.LOST, message=message, exit_code=self._code)
        ended = self._state.get("terminated")
        if ended:
            return end_of(ended)
        if word or words:
            message = f"cannot start: {word}: {words}"
            return Failure(reason=Reason.CANNOT_START, message=message)
        return Failure(reason=Reason.LOST, message="lost: nothing is known of its end")

    def loss(self) -> Failure:
        """What to say of one that somebody has deleted."""
        told = [
            condition.get("message") or condition.get("reason")
            for condition in self._status.get("conditions") or ()
            if condition["type"] == "DisruptionTarget" and condition.get("status") == "True"
        ]
        why = told[0] if told else self._status.get("message") or self._status.get("reason")
        message = f"lost: its pod {self.name} was deleted{f' ({why})' if why else ''}"
        return Failure(reason=Reason.LOST, message=message, exit_code=self._code)

    @property
    def _status(self) -> Object:
        return self.found.get("status") or {}

    @property
    def _statuses(self) -> list[Object]:
        return list(self._status.get("containerStatuses") or ())

    @property
    def _state(self) -> Object:
        """The state of the container that is the job."""
        mine = [status for status in self._statuses if status.get("name") == CONTAINER]
        return (mine[0].get("state") or {}) if mine else {}

    @property
    def _code(self) -> int | None:
        return (self._state.get("terminated") or {}).get("exitCode")
