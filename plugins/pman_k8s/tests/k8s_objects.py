"""Jobs and pods as API servers and kubelets of several versions send them.

Written by hand after the API reference of each version (Job v1 batch, Pod v1 core) and what a
cluster of 1.20 sent; only the parts that pman reads.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from k8s_jobs import BASE

from pman_core.kit.names import native_name
from pman_core.kit.settings import load
from pman_k8s.labels import PODS
from pman_k8s.labels import STARTED as START
from pman_k8s.payload import job_payload
from pman_k8s.platform import KUBERNETES
from pman_k8s.settings import K8sSettings
from pman_k8s.status.current import state_of
from pman_k8s.status.decision import Decision, Observation, decide
from pman_k8s.status.pods import Pod
from pman_k8s.status.state import JobState

Object = dict[str, Any]

CREATED, STARTED, ENDED = "2026-11-21T01:00:00Z", "2026-11-21T01:00:05Z", "2026-11-21T01:00:09Z"
LATER = "2026-11-21T01:00:11Z"
NOW = datetime(2026, 11, 21, 1, 0, 15, tzinfo=UTC)
SETTINGS = load(K8sSettings, {})


def condition(kind: str, reason: str = "", message: str = "", at: str = LATER) -> Object:
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": at,
    }


def job(
    *conditions: Object, workers: int = 1, pods: str = "", begun: bool = False, **status: Any
) -> Object:
    """A Job.

    :param pods: the names of pods that pman has recorded.
    :param begun: whether it has recorded a start.
    """
    made = job_payload("the-job", BASE, SETTINGS, KUBERNETES)
    made["metadata"] |= {"uid": "u-1", "resourceVersion": "7", "creationTimestamp": CREATED}
    if pods:
        made["metadata"]["annotations"][PODS] = pods
    if begun:
        made["metadata"]["annotations"][START] = STARTED
    made["spec"] |= {"completions": workers, "parallelism": workers}
    made["status"] = {"startTime": CREATED, **status}
    if conditions:
        made["status"]["conditions"] = list(conditions)
    return made


def named(found: Object) -> Object:
    """A Job of the name that belongs to its job."""
    found["metadata"]["name"] = native_name(BASE.jid)
    return found


def pod(
    phase: str = "Running",
    state: Object | None = None,
    name: str = "the-job-abcde",
    deleted: bool = False,
    limit: int | None = None,
    **status: Any,
) -> Object:
    """A pod whose container is in that state; ``None`` is one without containers yet."""
    metadata: Object = {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": CREATED}
    if deleted:
        metadata["deletionTimestamp"] = LATER
    told: Object = {"phase": phase, **status}
    if state is not None:
        told["containerStatuses"] = [{"name": "job", "restartCount": 0, "state": state}]
    return {
        "metadata": metadata,
        "spec": {"activeDeadlineSeconds": limit, "containers": [{"name": "job"}]},
        "status": told,
    }


def running(**more: Any) -> Object:
    return pod("Running", {"running": {"startedAt": STARTED}}, **more)


def waiting(reason: str, message: str = "", image: str = "some/image:1", **more: Any) -> Object:
    state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    found = pod("Pending", state, startTime=CREATED, **more)
    found["status"]["containerStatuses"][0]["image"] = image
    return found


def ended(code: int = 0, reason: str = "", message: str = "", **more: Any) -> Object:
    """A pod whose process has ended."""
    state = {
        "exitCode": code,
        "reason": reason or ("Error" if code else "Completed"),
        "startedAt": STARTED,
        "finishedAt": ENDED,
        **({"message": message} if message else {}),
    }
    phase = more.pop("phase", "Failed" if code else "Succeeded")
    return pod(phase, {"terminated": state}, **more)


def unscheduled(message: str = "0/1 nodes are available: 1 Insufficient cpu.") -> Object:
    told = {"reason": "Unschedulable", "message": message}
    return pod("Pending", conditions=[{"type": "PodScheduled", "status": "False", **told}])


def event(reason: str, message: str, kind: str = "Warning", at: str = LATER) -> Object:
    return {
        "type": kind,
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
        "metadata": {"creationTimestamp": at},
    }


RUNS: Object = {"running": {"startedAt": STARTED}}
RECORDED = Path(__file__).parent / "recorded"

BACKOFF = condition("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
COMPLETE = condition("Complete")
FAILURE_TARGET = condition("FailureTarget", "BackoffLimitExceeded", "...")
SUCCESS_MET = condition("SuccessCriteriaMet", "CompletionsReached", "...")
DISRUPTION = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "EvictionByEvictionAPI",
    "message": "Eviction API: evicting",
}


def recorded(name: str) -> Object:
    """A pod as a cluster of 1.36 sent it."""
    (found,) = json.loads((RECORDED / f"pod-{name}.json").read_text())
    return dict(found)


def record(made: Object, patch: Object) -> None:
    """What the API server does with a patch of annotations."""
    made["metadata"]["annotations"] |= patch["metadata"]["annotations"]


def seen(
    made: Object, *found: Object, now: datetime = NOW, events: Sequence[Object] = ()
) -> Observation:
    """What the engine said of a job.

    :param found: its pods.
    :param events: those of its first pod, or of its Job if it has none.
    """
    first = found[0] if found else made
    by_uid = {first["metadata"]["uid"]: events} if events else {}
    return Observation(made, now, [Pod(one) for one in found], by_uid)


def decided(made: Object, *found: Object, cancels: bool = False, **more: Any) -> Decision:
    """What becomes of such a job where ``START_DEADLINE`` is a minute."""
    return decide(seen(made, *found, **more), 60, cancels=cancels)


def state_by(made: Object, found: Iterable[Object]) -> JobState:
    """The state of a job that does not wait, by its Job and pods."""
    state = state_of(made, [Pod(one) for one in found])
    assert state, "it waits"
    return state
