"""What a pod says of its run: pure translation.

API reference, PodStatus and ContainerStatus; the words in ``reason`` are the kubelet's and of the
container runtimes (1.20 with Docker, containerd and CRI-O since).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from pman_core import Reason
from pman_core.kit.times import parsed_time
from pman_k8s.payload import CONTAINER
from pman_k8s.status.containers import (
    INITIALIZING,
    NOT_BEGUN,
    Failure,
    end_of,
    init_failure,
    init_waits,
    native_sidecars,
)
from pman_k8s.status.pending import Waiting, container_waits, pod_waits

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
        return parsed_time(self.found["metadata"].get("creationTimestamp"))

    @property
    def acknowledged(self) -> datetime | None:
        """When its node began to make it."""
        return parsed_time(self._status.get("startTime"))

    @property
    def started(self) -> datetime | None:
        """When its process began; ``None`` if it has not."""
        state = self._state
        if state.get("terminated", {}).get("reason") in NOT_BEGUN:
            return None
        part = state.get("running") or state.get("terminated") or {}
        return parsed_time(part.get("startedAt"))

    @property
    def finished(self) -> datetime | None:
        """When its process ended."""
        return parsed_time((self._state.get("terminated") or {}).get("finishedAt"))

    @property
    def is_over(self) -> bool:
        """Whether its phase is one that no pod leaves."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def sidecars_run_on(self) -> bool:
        """Whether its job has ended, and another container runs on: one that a webhook added.

        A native sidecar, which is an init container, is none of these: the kubelet ends it.
        """
        others = [one for one in self._statuses if one.get("name") != CONTAINER]
        runs_on = any("terminated" not in (one.get("state") or {}) for one in others)
        return self._ended_by_itself and runs_on and not self.is_over

    @property
    def has_succeeded(self) -> bool:
        """Whether its job ended with 0, whatever became of its other containers."""
        return self.phase == "Succeeded" or (self._ended_by_itself and self._code == 0)

    @property
    def has_failed(self) -> bool:
        """Whether its job failed by itself, or the node failed the whole pod."""
        ended = self.phase == "Failed" or self.sidecars_run_on
        return ended and not self.has_succeeded and not self.is_deleted

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it runs any more: a phase may be ahead of its containers."""
        states = [status.get("state") or {} for status in self._statuses]
        ended = bool(states) and all("terminated" in state for state in states)
        return self.is_over and ended

    @property
    def running(self) -> tuple[str, ...]:
        """The containers that run as far as is known: a kubelet of 1.20 never says more of a pod
        that a deadline ended.
        """
        statuses = (*self._inits, *self._statuses)
        return tuple(one["name"] for one in statuses if "running" in (one.get("state") or {}))

    @property
    def is_ending(self) -> bool:
        """Whether its node ends it without further words."""
        limit = self.found["spec"].get("activeDeadlineSeconds")
        return self.is_deleted or (limit is not None and limit <= 1)

    @property
    def is_unreachable(self) -> bool:
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
            init = waiting["reason"] == INITIALIZING and init_waits(self._inits, self._sidecars)
            return init or container_waits(self._job)
        return pod_waits(self._status)

    def failure(self) -> Failure:
        """Why it failed; of one that has."""
        ended = self._state.get("terminated")
        if ended and self._ended_by_itself:
            return end_of(ended)
        word, words = self._status.get("reason", ""), self._status.get("message", "")
        if word == "DeadlineExceeded":
            limit = self.found["spec"].get("activeDeadlineSeconds")
            began = "" if self.started else ", before it had begun"
            message = f"time limit: it was ended after {limit} s{began} (DeadlineExceeded)"
            return Failure(reason=Reason.TIME_LIMIT, message=message, exit_code=self._code)
        if word in _TAKEN:
            message = f"lost: {word}: {words or 'its node took it away'}"
            return Failure(reason=Reason.LOST, message=message, exit_code=self._code)
        init = init_failure(self._inits, self._sidecars)
        if init:
            return init
        if word or words:
            message = f"cannot start: {word}: {words}"
            return Failure(reason=Reason.CANNOT_START, message=message)
        return Failure(reason=Reason.LOST, message="lost: nothing is known of its end")

    @property
    def side_failure(self) -> str:
        """Which other container failed a pod whose job has ended with 0; empty if none did."""
        for status in self._statuses:
            ended = (status.get("state") or {}).get("terminated") or {}
            if self.has_succeeded and status.get("name") != CONTAINER and ended.get("exitCode"):
                return f"container {status['name']} of pod {self.name} {end_of(ended).message}"
        return ""

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
    def _inits(self) -> list[Object]:
        return list(self._status.get("initContainerStatuses") or ())

    @property
    def _sidecars(self) -> set[str]:
        return native_sidecars(self.found["spec"])

    @property
    def _ended_by_itself(self) -> bool:
        """Whether its job ended, and not because the pod was ended; in doubt it did not.

        Of one that exits with 0 when it is told to end, only the time tells: the deadline is of the
        same node's clock.
        """
        reason = self._status.get("reason")
        if "terminated" not in self._state or self.is_deleted or reason in _TAKEN:
            return False
        limit = self.found["spec"].get("activeDeadlineSeconds")
        if reason != "DeadlineExceeded" or limit is None:
            return reason != "DeadlineExceeded"
        if self.finished is None or self.acknowledged is None:
            return False
        return self.finished < self.acknowledged + timedelta(seconds=limit)

    @property
    def _state(self) -> Object:
        """The state of the container that is the job."""
        return self._job.get("state") or {}

    @property
    def _job(self) -> Object:
        """The status of the container that is the job, once there is one."""
        mine = [status for status in self._statuses if status.get("name") == CONTAINER]
        return mine[0] if mine else {}

    @property
    def _code(self) -> int | None:
        return (self._state.get("terminated") or {}).get("exitCode")
