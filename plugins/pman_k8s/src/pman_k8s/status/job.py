"""What a Job itself says, without its pods: pure translation.

API reference, JobStatus.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pman_core.kit.times import parsed_time
from pman_k8s.escaping import unescaped
from pman_k8s.labels import CONTAINER

Object = Mapping[str, Any]


def conditions(job: Object) -> dict[str, Object]:
    """The conditions that are true, by their type."""
    found = (job.get("status") or {}).get("conditions") or ()
    return {one["type"]: one for one in found if one.get("status") == "True"}


def created_at(job: Object) -> datetime | None:
    """When the server got the Job."""
    return parsed_time(job["metadata"]["creationTimestamp"])


def is_being_deleted(job: Object) -> bool:
    """Whether a Job is being deleted; it stays until its pods are gone."""
    return bool(job["metadata"].get("deletionTimestamp"))


def makes_no_pods(job: Object) -> bool:
    """Whether the cluster makes no more pods for a Job: it has ended, or something suspends it."""
    ends = ("Complete", "Failed", "FailureTarget", "SuccessCriteriaMet", "Suspended")
    return any(one in conditions(job) for one in ends)


def counted_pods(job: Object) -> int:
    """How many pods the cluster has counted."""
    status = job.get("status") or {}
    return sum(int(status.get(state) or 0) for state in ("active", "succeeded", "failed"))


def workers_of(job: Object) -> int:
    """How many workers the job has; its parallelism may be 0 by now."""
    return int(job["spec"].get("completions") or 1)


def container_of(job: Object) -> Object:
    """The container that is the job; webhooks may have added others."""
    template = job["spec"]["template"]["spec"]
    found: Object = next(part for part in template["containers"] if part["name"] == CONTAINER)
    return found


def env_of(job: Object) -> dict[str, str]:
    """The environment of a job."""
    env = container_of(job).get("env") or ()
    return {one["name"]: unescaped(one.get("value") or "") for one in env}
