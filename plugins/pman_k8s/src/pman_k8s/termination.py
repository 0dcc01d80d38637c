"""Ends what still runs of a job whose end is written down.

A job that was cancelled runs on until then, and so does a sidecar that outlives its job. The
annotation ``labels.REST`` says so until it is done: whoever looks at the job goes on with it.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pman_core import Reason
from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.deadline import left, within
from pman_k8s.client import FEW_PODS, Cluster
from pman_k8s.errors import ForbiddenError, NotFoundError, RefusedError
from pman_k8s.labels import of_jobs, pods_to_end, recorded_pods
from pman_k8s.outcome import STOPPED, outcome_of, terminated_patch
from pman_k8s.status.job import is_being_deleted, makes_no_pods, workers_of
from pman_k8s.status.pods import Pod

Object = Mapping[str, Any]

log = logging.getLogger(__name__)

_PAUSE_S = 0.1

#: Seconds after which a pod is taken from its node that has not begun there: a kubelet that pulls
#: an image sees no deadline before it has it, and one of 1.20 takes ten seconds to let a pod go.
#: What began unseen is seen sooner, and keeps its log.
_PATIENCE_S = 3

_RUN_ON = "pods %s run on after their job: %s"


@functools.lru_cache(maxsize=1000)
def _warn_once(message: str) -> None:
    log.warning("%s", message)


def end_remaining_pods(cluster: Cluster, job: Object, now: datetime) -> bool:
    """Go on with the end of what outlives its job, without waiting for it.

    Where that fails the end is told all the same, and the next look tries again. A permission
    that is missing is logged once for each job: it does not come back by itself.

    :param now: when ``job`` was read, by the server's clock.
    :return: whether nothing is left to be done, or nothing can be.
    """
    names = pods_to_end(job)
    if not names:
        return True
    try:
        if _is_cancelled(job):
            return _end_run(cluster, job, now)
        for name in names:
            cluster.end_pod(name)
        cluster.patch(job["metadata"]["name"], terminated_patch())
    except NotFoundError:
        return True  # removed meanwhile
    except ForbiddenError as error:
        _warn_once(_RUN_ON % (", ".join(names), f"{error}; they are left until it is removed"))
    except (RefusedError, EngineUnavailableError) as error:
        log.warning(_RUN_ON, ", ".join(names), error)
        return False
    return True


def end_cancelled(cluster: Cluster, name: str, uid: str, timeout_s: float) -> bool:
    """Return once nothing of a cancelled job runs, or may begin.

    :return: whether it is still there.
    :raises EngineUnavailableError: it has not ended in time; it is told to end all the same.
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
        if _end_run(cluster, job, answer.date):
            break
        time.sleep(_PAUSE_S)
    for pod in _pods(cluster, job):
        for container in pod.running:
            cluster.wait_for_end(pod.name, container)
    return True


def _is_cancelled(job: Object) -> bool:
    outcome = outcome_of(job)
    return outcome is not None and outcome.reason is Reason.CANCELLED


def _end_run(cluster: Cluster, job: Object, now: datetime) -> bool:
    """Take the next step to the end of a cancelled job; whether nothing is left to be done.

    A deadline of its own ends a pod and keeps its log. Without parallelism the cluster makes no
    pods, and deletes those that it has: for those that have not begun, or where pman may not patch
    pods.
    """
    pods = _pods(cluster, job)
    lasting = [pod for pod in pods if not pod.is_over]
    is_ending = _ends_by_itself(job, pods)
    if not lasting and (is_ending or makes_no_pods(job)):
        if pods_to_end(job):
            cluster.patch(job["metadata"]["name"], terminated_patch())
        return True
    is_late = _seconds_since_end(job, now) > _PATIENCE_S
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
    """Have nodes end pods; whether pman may do that."""
    lasting = [pod.name for pod in pods if not pod.is_ending]
    try:
        for name in lasting:
            cluster.end_pod(name)
    except ForbiddenError as error:
        names = ", ".join(lasting)
        _warn_once(
            f"pods {names} of a cancelled job are deleted, and their logs with them: {error}"
        )
        return False
    return True


def _pods(cluster: Cluster, job: Object) -> list[Pod]:
    """The pods of a Job; the list, which alone tells that there is no other, comes last."""
    noted = recorded_pods(job)
    if len(noted) == workers_of(job) <= FEW_PODS:
        named = [Pod(found) for found in cluster.pods_named(noted)]
        if not all(pod.is_over for pod in named):
            return named
    return [Pod(found) for found in cluster.pods(of_jobs([job["metadata"]["uid"]]), fresh=True)]


def _seconds_since_end(job: Object, now: datetime) -> float:
    outcome = outcome_of(job)
    return (now - outcome.finished).total_seconds() if outcome and outcome.finished else 0.0


def _ends_by_itself(job: Object, pods: list[Pod]) -> bool:
    """Whether the cluster ends a Job without further words, and makes no pod for it."""
    phases = [pod.phase for pod in pods]
    return "Failed" in phases or phases.count("Succeeded") >= workers_of(job)
