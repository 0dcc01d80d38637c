"""What a Job itself says, without its pods: pure translation.

API reference, JobStatus.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def conditions(job: Object) -> dict[str, Object]:
    """The conditions that are true, by their type."""
    found = (job.get("status") or {}).get("conditions") or ()
    return {one["type"]: one for one in found if one.get("status") == "True"}


def counted_pods(job: Object) -> int:
    """How many pods the cluster has counted."""
    status = job.get("status") or {}
    return sum(int(status.get(state) or 0) for state in ("active", "succeeded", "failed"))


def workers_of(job: Object) -> int:
    """How many workers the job has; its parallelism may have been taken away."""
    return int(job["spec"].get("completions") or 1)
