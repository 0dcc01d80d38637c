"""Ends what still runs of a job whose end is recorded: a cancelled run, or a sidecar.

The annotation ``labels.PODS_TO_END`` names the pods until that is done. Each look at the job takes
the next step, and so does each pman that starts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pman_core import Reason
from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.names import INSTANCE_LABEL
from pman_k8s.cancel import end_run
from pman_k8s.client import Cluster
from pman_k8s.errors import ForbiddenError, NotFoundError, RefusedError, warn_once
from pman_k8s.labels import pods_to_end, selector
from pman_k8s.record import pods_ended_patch, recorded_end

Object = Mapping[str, Any]

log = logging.getLogger(__name__)

#: How many Jobs are read at once where all are.
_PAGE = 100

_RUN_ON = "pods %s run on after their job: %s"


def end_remaining_pods(cluster: Cluster, job: Object, now: datetime) -> bool:
    """Take the next step to the end of what still runs of a job, without waiting for it.

    Where that fails the job has ended all the same, and the next look tries again. A permission
    that is missing is logged once for each job: only the operator can grant it.

    :param now: when ``job`` was read, by the server's clock.
    :return: whether nothing is left to be done, or nothing can be.
    """
    names = pods_to_end(job)
    if not names:
        return True
    try:
        end = recorded_end(job)
        if end and end.reason is Reason.CANCELLED:
            return end_run(cluster, job, now)
        for name in names:
            cluster.end_pod(name)
        cluster.patch(job["metadata"]["name"], pods_ended_patch())
    except NotFoundError:
        return True  # removed meanwhile
    except ForbiddenError as error:
        warn_once(_RUN_ON % (", ".join(names), f"{error}; they are left until it is removed"))
    except (RefusedError, EngineUnavailableError) as error:
        log.warning(_RUN_ON, ", ".join(names), error)
        return False
    return True


def end_all_remaining_pods(cluster: Cluster, instance: str) -> None:
    """Take the next step for all jobs of an instance that have ended.

    :raises EngineUnavailableError: some pods still end.
    """
    wanted = selector({INSTANCE_LABEL: instance})
    ending, cursor = 0, ""
    while True:
        answer = cluster.jobs(wanted, _PAGE, cursor)
        jobs = answer.body["items"]
        ending += sum(not end_remaining_pods(cluster, job, answer.date) for job in jobs)
        cursor = answer.body["metadata"].get("continue") or ""
        if not cursor:
            break
    if ending:
        raise EngineUnavailableError(f"what {ending} ended jobs left is still ending")
