"""What a job is, by what the engine said of it at one moment, and what must be written: pure.

The first of these that applies decides:

1. the end that is recorded on its Job, whatever the cluster says later;
2. the end that its Job and pods show, or that it has begun (``current``);
3. that it can never start, or has waited for too long;
4. what it waits for (``pending``, ``events``).

A job that is cancelled has ended then, unless it had before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from pman_core import JobInfo, Reason, Status
from pman_core.kit.causes import pull_cause
from pman_core.kit.job_info import overdue
from pman_core.kit.outcome import Outcome, cancelled, cannot_start
from pman_core.kit.times import not_before
from pman_k8s.labels import STARTED, annotations_of, recorded_pods, recorded_pull
from pman_k8s.record import MAX_MESSAGE_CHARS, Payload, end_patch, progress_patch, recorded_end
from pman_k8s.status.current import state_of
from pman_k8s.status.events import started_by_events, waiting_by_events
from pman_k8s.status.job import conditions, created_at
from pman_k8s.status.pending import NO_POD, Waiting, image_waits
from pman_k8s.status.pods import Pod
from pman_k8s.status.state import JobState, ended, info_of

Object = Mapping[str, Any]

#: Seconds after which events are asked why a job does not go on; most pods are made sooner.
_EVENTS_AFTER_S = 3

#: Of so many pods of a job that is cancelled the events are read.
_FEW_PODS = 10


@attrs.frozen
class Observation:
    """What the engine said of a job at one moment.

    :param now: when the Job was read, by the server's clock.
    :param pods: the pods of the Job; none are needed where its end is recorded.
    :param events: the events that were read, by the uid of what they are about.
    """

    job: Object
    now: datetime
    pods: Sequence[Pod] = ()
    events: Mapping[str, Sequence[Object]] = attrs.field(factory=dict)

    def seconds_since(self, time: datetime | None) -> float:
        """How long ago that was; 0 for what is not known."""
        return (self.now - time).total_seconds() if time else 0.0


@attrs.frozen
class Decision:
    """What a job is, and the patch that has to be written on its Job before an end is reported."""

    info: JobInfo
    patch: Payload | None = None


def decide(seen: Observation, start_deadline_s: int, *, cancels: bool = False) -> Decision:
    """What a job is.

    :param start_deadline_s: after how many seconds a job that has not started is ended.
    :param cancels: whether to end the job, unless it has ended.
    """
    recorded = recorded_end(seen.job)
    if recorded:
        return Decision(info_of(seen.job, recorded))
    state = state_of(seen.job, seen.pods) or _waiting_state(seen, start_deadline_s)
    if cancels and not state.status.is_final:
        state = _cancelled_end(seen, state)
    if state.status.is_final and state.finished is None:
        state = attrs.evolve(state, finished=not_before(state.started, seen.now))
    return Decision(info_of(seen.job, state), _patch(seen, state))


def events_needed(seen: Observation, start_deadline_s: int, *, cancels: bool = False) -> str | None:
    """The uid of the next object whose events :func:`decide` needs; ``None`` if it has enough."""
    if recorded_end(seen.job) or state_of(seen.job, seen.pods):
        return None
    wanted = [_unexplained(seen)]
    if cancels and not _started_by_events(seen):
        state = _waiting_state(seen, start_deadline_s)
        begun = [] if state.status.is_final else [pod for pod in seen.pods if pod.acknowledged]
        wanted += [pod.uid for pod in begun[:_FEW_PODS]]
    return next((uid for uid in wanted if uid and uid not in seen.events), None)


def _waiting_state(seen: Observation, start_deadline_s: int) -> JobState:
    """The state of a job that waits to begin, or that is ended as it waits for too long."""
    waiting = _waiting(seen)
    if waiting.is_permanent and _tried_s(seen) < waiting.confirm_after_s:
        waiting = waiting.unconfirmed()
    message, reason = waiting.message, waiting.reason
    pull = _new_pull(seen.job, waiting)
    state = JobState(status=Status.NOT_STARTED, message=message, reason=reason, pull=pull)
    end = overdue(info_of(seen.job, state), seen.now, start_deadline_s)
    if waiting.is_permanent:
        is_image = reason is Reason.IMAGE_NOT_FOUND
        end = Outcome(message, reason) if is_image else cannot_start(message)
    return ended(end, created_at(seen.job), None, seen.now, ends_it=True) if end else state


def _waiting(seen: Observation) -> Waiting:
    """What a job waits for; by events where its objects do not say it."""
    events = seen.events.get(_unexplained(seen) or "", ())
    return waiting_by_events(events, waits_for(seen.job, seen.pods))


def _unexplained(seen: Observation) -> str | None:
    """The uid of the pod, or of the Job, that does not say for long enough what it waits for."""
    first = seen.pods[0].body if seen.pods else seen.job
    is_vague = waits_for(seen.job, seen.pods).is_vague
    is_due = seen.seconds_since(created_at(first)) >= _EVENTS_AFTER_S
    return first["metadata"]["uid"] if is_vague and is_due else None


def waits_for(job: Object, pods: Sequence[Pod]) -> Waiting:
    """What a job that has not begun waits for."""
    if "Suspended" in conditions(job):
        return Waiting("suspended: something else holds the job back", Reason.QUEUED)
    waiting = [pod.waits for pod in pods]
    # A pod that can never start, or waits for a reason, says more than one that is being made.
    waiting.sort(key=lambda one: (not one.is_permanent, one.reason is None))
    return _recalled(job, waiting[0]) if waiting else NO_POD


def _recalled(job: Object, waiting: Waiting) -> Waiting:
    """What is waited for; of an image with the recorded words where the pod says nothing."""
    image, words = recorded_pull(job)
    if waiting.is_vague and waiting.image and waiting.image == image:
        return attrs.evolve(image_waits(image, words, waiting.prefix), is_vague=True)
    return waiting


def _new_pull(job: Object, waiting: Waiting) -> str:
    """What to record of an image that cannot be pulled, unless the same cause is recorded."""
    image, words = recorded_pull(job)
    is_known = image == waiting.image and pull_cause(words) == pull_cause(waiting.words)
    is_new = waiting.image and not waiting.is_vague and not is_known
    return f"{waiting.image}\n{waiting.words[:MAX_MESSAGE_CHARS]}" if is_new else ""


def _tried_s(seen: Observation) -> float:
    """For how long nodes have tried to start a job, or the controller to make its pods."""
    times = [pod.acknowledged for pod in seen.pods] or [created_at(seen.job)]
    return max((seen.seconds_since(time) for time in times if time), default=0)


def _cancelled_end(seen: Observation, state: JobState) -> JobState:
    """The end of a job that a client cancels before it has ended.

    A job that has begun is ended on its nodes, so that its log stays. One that has not begun has
    no log; the change that records its end also keeps it from starting.
    """
    started = state.started or _started_by_events(seen)
    on_nodes = tuple(pod.name for pod in seen.pods if pod.acknowledged) if started else ()
    end = ended(cancelled(), created_at(seen.job), started, seen.now, ends_it=not on_nodes)
    return attrs.evolve(end, pods_to_end=on_nodes)


def _started_by_events(seen: Observation) -> datetime | None:
    """When a job began of which only events show it yet."""
    events = (seen.events.get(pod.uid, ()) for pod in seen.pods if pod.acknowledged)
    started = next(filter(None, map(started_by_events, events)), None)
    return not_before(created_at(seen.job), started) if started else None


def _patch(seen: Observation, state: JobState) -> Payload | None:
    """What has to be written on the Job now, if anything."""
    recorded = recorded_pods(seen.job)
    names = tuple(dict.fromkeys((*recorded, *(pod.name for pod in seen.pods))))
    if state.status.is_final:
        return end_patch(seen.job, state, names)
    has_begun = state.started is not None and STARTED not in annotations_of(seen.job)
    is_new = has_begun or state.pull or names != recorded
    return progress_patch(seen.job, state, names) if is_new else None
