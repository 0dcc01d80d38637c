"""Ends a job that is cancelled, and keeps its Job, its pods and their logs.

The Job already records that the job is cancelled. Each look at the job takes the next step to its
end, until nothing of it runs.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.deadline import left, within
from pman_k8s.client import FEW_PODS, Cluster
from pman_k8s.errors import ForbiddenError, NotFoundError, warn_once
from pman_k8s.labels import of_jobs, pods_to_end, recorded_pods
from pman_k8s.record import STOPPED, pods_ended_patch, recorded_end
from pman_k8s.status.job import is_being_deleted, makes_no_pods, workers_of
from pman_k8s.status.pods import Pod

Object = Mapping[str, Any]

_PAUSE_S = 0.1

#: Seconds after which a pod that has not begun is taken from its node. A kubelet that pulls an
#: image sees no deadline before it has the image, and one of 1.20 takes ten seconds to let a pod
#: go. What has begun unseen is seen sooner, and keeps its log.
_UNSTARTED_GRACE_S = 3


def end_cancelled(cluster: Cluster, name: str, uid: str, timeout_s: float) -> bool:
    """Return once nothing of a cancelled job runs, or may begin.

    :return: whether its Job is still there.
    :raises EngineUnavailableError: it has not ended in time; the cluster ends it all the same.
    """
    ends = time.monotonic() + left(timeout_s)
    try:
        with within(left(timeout_s)):
            return _await_end(cluster, name, uid)
    except NotFoundError:
        return False
    except EngineUnavailableError as error:
        if time.monotonic() < ends:
            raise
        raise EngineUnavailableError(
            "the job is cancelled, and was not seen to end in time; does its node answer? Cancel "
            "it again to wait for that"
        ) from error


def _await_end(cluster: Cluster, name: str, uid: str) -> bool:
    while True:
        answer = cluster.job(name)
        job = answer.body
        if is_being_deleted(job) or job["metadata"]["uid"] != uid:
            return False
        if end_run(cluster, job, answer.date):
            break
        time.sleep(_PAUSE_S)
    for pod in _pods(cluster, job):
        for container in pod.running:
            cluster.wait_for_end(pod.name, container)
    return True


def end_run(cluster: Cluster, job: Object, now: datetime) -> bool:
    """Take the next step to the end of a cancelled job.

    A deadline of its own ends a pod and keeps its log. Without parallelism the cluster makes no
    pods, and deletes those that it has: this is for pods that have not begun, or where pman may
    not patch pods.

    :param now: when ``job`` was read, by the server's clock.
    :return: whether nothing is left to be done.
    """
    pods = _pods(cluster, job)
    lasting = [pod for pod in pods if not pod.is_over]
    is_ending = _ends_by_itself(job, pods)
    if not lasting and (is_ending or makes_no_pods(job)):
        if pods_to_end(job):
            cluster.patch(job["metadata"]["name"], pods_ended_patch())
        return True
    is_late = _seconds_since_end(job, now) > _UNSTARTED_GRACE_S
    if job["spec"].get("parallelism") != 0:
        busy = [pod for pod in lasting if pod.acknowledged and (pod.started or not is_late)]
        if not (busy and _end_pods(cluster, busy)) and not is_ending:
            cluster.patch(job["metadata"]["name"], {"spec": STOPPED})
    for pod in lasting:
        if pod.is_deleted and is_late and not pod.started:
            with contextlib.suppress(ForbiddenError):  # its node lets it go, if later
                cluster.delete_pod(pod.name, 0)
    return False


def _end_pods(cluster: Cluster, pods: Iterable[Pod]) -> bool:
    """Make nodes end pods; whether pman may do that."""
    lasting = [pod.name for pod in pods if not pod.is_ending]
    try:
        for name in lasting:
            cluster.end_pod(name)
    except ForbiddenError as error:
        names = ", ".join(lasting)
        warn_once(f"pods {names} of a cancelled job are deleted, and their logs with them: {error}")
        return False
    return True


def _pods(cluster: Cluster, job: Object) -> list[Pod]:
    """The pods of a Job; the list, which alone shows that there is no other, comes last."""
    recorded = recorded_pods(job)
    if len(recorded) == workers_of(job) <= FEW_PODS:
        named = [Pod(found) for found in cluster.pods_named(recorded)]
        if not all(pod.is_over for pod in named):
            return named
    return [Pod(found) for found in cluster.pods(of_jobs([job["metadata"]["uid"]]), fresh=True)]


def _seconds_since_end(job: Object, now: datetime) -> float:
    end = recorded_end(job)
    return (now - end.finished).total_seconds() if end and end.finished else 0.0


def _ends_by_itself(job: Object, pods: list[Pod]) -> bool:
    """Whether the cluster already ends a Job, and makes no pod for it."""
    phases = [pod.phase for pod in pods]
    return "Failed" in phases or phases.count("Succeeded") >= workers_of(job)
