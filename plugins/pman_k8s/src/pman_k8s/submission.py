"""Submits a job: creating its Job is the lock, so nothing is looked up before."""

from __future__ import annotations

from pman_core import Job, JobInfo
from pman_core.kit.submission import create_or_find
from pman_k8s.client import Cluster
from pman_k8s.errors import ConflictError, RefusedError, create_error, refusal_errors
from pman_k8s.payload import Payload
from pman_k8s.reconcile import Reconciler
from pman_k8s.status.decision import Observation


def submit(cluster: Cluster, reconciler: Reconciler, job: Job, body: Payload) -> JobInfo:
    """Create the Job of a job, or find the job as it is.

    :param body: the Job.
    :raises InvalidJobError: the server refuses it.
    :raises NameTakenError: something else has its name.
    :raises EngineUnavailableError: the cluster takes no job now, or removes a job of that name.
    """
    reading = f"job {job.jid!r} cannot be read"

    def create() -> JobInfo | None:
        try:
            made = cluster.create(body)
        except ConflictError:
            return None
        except RefusedError as refused:
            # Quotas and policies are asked before the server sees that the name is in use.
            info = find()
            if info:
                return info
            raise create_error(refused) from refused
        return reconciler.decided(Observation(made.body, made.date)).info

    def find() -> JobInfo | None:
        with refusal_errors(reading):
            return reconciler.look(job.jid)

    def is_foreign() -> bool:
        with refusal_errors(reading):
            if reconciler.is_foreign(job.jid):
                return True
            reconciler.wait_for_removal(job.jid)
            return False

    name = reconciler.name(job.jid)
    return create_or_find(job.jid, name, create=create, find=find, is_foreign=is_foreign)
