"""What a pod says of its run: pure translation.

API reference, PodStatus and ContainerStatus. The words in ``reason`` are those of the kubelet and
of the container runtimes (1.20 with Docker; containerd and CRI-O since).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from pman_core.kit.outcome import Outcome, cannot_start, lost, over_time_limit
from pman_core.kit.times import parsed_time
from pman_k8s.labels import CONTAINER
from pman_k8s.status.containers import (
    INITIALIZING,
    NOT_BEGUN,
    init_failure,
    init_waits,
    native_sidecars,
    outcome_of,
)
from pman_k8s.status.pending import Waiting, container_waits, pod_waits

Object = Mapping[str, Any]

#: Reasons of pods that their node ended, or that were taken from it.
_EVICTED = (
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

    body: Object = attrs.field(repr=False)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.body["metadata"]["name"])

    @property
    def uid(self) -> str:
        """What its events name it by."""
        return str(self.body["metadata"]["uid"])

    @property
    def is_deleted(self) -> bool:
        """Whether somebody has deleted it; it may run a little longer."""
        return bool(self.body["metadata"].get("deletionTimestamp"))

    @property
    def phase(self) -> str:
        """Pending, Running, Succeeded, Failed or Unknown."""
        return str(self._status.get("phase", "Pending"))

    @property
    def acknowledged(self) -> datetime | None:
        """When its node's kubelet acknowledged it, and began to make it."""
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

        A native sidecar, which is an init container, does not count: the kubelet ends it.
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
        """The containers that run as far as is known.

        A kubelet of 1.20 never reports that a container has ended in a pod that a deadline ended.
        """
        statuses = (*self._inits, *self._statuses)
        return tuple(one["name"] for one in statuses if "running" in (one.get("state") or {}))

    @property
    def is_ending(self) -> bool:
        """Whether its node already ends it."""
        limit = self.body["spec"].get("activeDeadlineSeconds")
        return self.is_deleted or (limit is not None and limit <= 1)

    @property
    def is_unreachable(self) -> bool:
        """Whether its node does not answer: the cluster then says "not ready", with no reason."""
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

    def failure(self) -> Outcome:
        """Why a pod failed that has."""
        ended = self._state.get("terminated")
        if ended and self._ended_by_itself:
            return outcome_of(ended)
        word, words = self._status.get("reason", ""), self._status.get("message", "")
        if word == "DeadlineExceeded":
            return self._time_limit_outcome()
        if word in _EVICTED:
            return lost(f"{word}: {words or 'its node took it away'}", self._code)
        init = init_failure(self._inits, self._sidecars)
        if init:
            return init
        if word or words:
            return cannot_start(f"{word}: {words}")
        return lost("nothing is known of its end")

    def _time_limit_outcome(self) -> Outcome:
        limit_s = self.body["spec"].get("activeDeadlineSeconds")
        outcome = over_time_limit(limit_s, self._code)
        if self.started:
            return outcome
        # The kubelet's time also runs while it pulls the image.
        message = f"ended: its time limit of {limit_s} s was over before it began"
        return attrs.evolve(outcome, message=message)

    @property
    def side_failure(self) -> str:
        """Which other container failed a pod whose job has ended with 0; empty if none did."""
        for status in self._statuses:
            ended = (status.get("state") or {}).get("terminated") or {}
            if self.has_succeeded and status.get("name") != CONTAINER and ended.get("exitCode"):
                return f"container {status['name']} of pod {self.name} {outcome_of(ended).message}"
        return ""

    def loss(self) -> Outcome:
        """The outcome of a job whose pod somebody has deleted."""
        disruptions = [
            condition.get("message") or condition.get("reason")
            for condition in self._status.get("conditions") or ()
            if condition["type"] == "DisruptionTarget" and condition.get("status") == "True"
        ]
        why = next(iter(disruptions), self._status.get("message") or self._status.get("reason"))
        return lost(f"its pod {self.name} was deleted{f' ({why})' if why else ''}", self._code)

    @property
    def _status(self) -> Object:
        return self.body.get("status") or {}

    @property
    def _statuses(self) -> list[Object]:
        return list(self._status.get("containerStatuses") or ())

    @property
    def _inits(self) -> list[Object]:
        return list(self._status.get("initContainerStatuses") or ())

    @property
    def _sidecars(self) -> set[str]:
        return native_sidecars(self.body["spec"])

    @property
    def _ended_by_itself(self) -> bool:
        """Whether its job ended, and the pod was not ended before; ``False`` if that is unclear.

        A job may exit with 0 on SIGTERM. Only the time then shows whether the deadline ended it:
        both times are of the same node's clock.
        """
        reason = self._status.get("reason")
        if "terminated" not in self._state or self.is_deleted or reason in _EVICTED:
            return False
        limit = self.body["spec"].get("activeDeadlineSeconds")
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
