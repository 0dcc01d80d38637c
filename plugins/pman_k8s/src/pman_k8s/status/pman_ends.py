"""The ends of jobs that pman decides, not the cluster: pure translation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs

from pman_core import Reason
from pman_core.kit.outcome import Outcome, cancelled, cannot_start, not_started_in_time
from pman_k8s.status.job import created_at
from pman_k8s.status.pending import Waiting
from pman_k8s.status.pods import Pod
from pman_k8s.status.state import JobState, ended

Object = Mapping[str, Any]


def start_failure_end(job: Object, waiting: Waiting, now: datetime) -> JobState:
    """The end of a job that can never start."""
    if waiting.reason is Reason.IMAGE_NOT_FOUND:
        outcome = Outcome(waiting.message, waiting.reason)
    else:
        outcome = cannot_start(waiting.message)
    return ended(outcome, created_at(job), None, now, ends_it=True)


def start_deadline_end(
    job: Object, state: JobState, now: datetime, deadline_s: int
) -> JobState | None:
    """The end of a job that has waited for longer than ``START_DEADLINE``; ``None`` otherwise."""
    created = created_at(job)
    if created is None or (now - created).total_seconds() <= deadline_s:
        return None
    return ended(not_started_in_time(deadline_s, state.message), None, None, now, ends_it=True)


def cancelled_end(job: Object, state: JobState, found: Iterable[Object], now: datetime) -> JobState:
    """The end of a job that a client cancels before it has ended.

    A job that has begun is ended on its nodes, so that its log stays. One that has not begun has
    no log; the change that records its end also keeps it from starting.
    """
    acknowledged = (pod.name for pod in map(Pod, found) if pod.acknowledged)
    on_nodes = tuple(acknowledged) if state.started else ()
    end = ended(cancelled(), created_at(job), state.started, now, ends_it=not on_nodes)
    return attrs.evolve(end, pods_to_end=on_nodes)
