"""The labels that pman puts on a service and on its containers."""

from __future__ import annotations

from pman_core import Job, JobInfo
from pman_core.kit.job_labels import identity_labels, job_labels
from pman_core.kit.names import LABEL_PREFIX

#: How the job ended; ``REASON`` only where it failed. The swarm's own state of an ended job changes
#: when somebody has it run again; these labels stay.
MESSAGE = LABEL_PREFIX + "message"
REASON = LABEL_PREFIX + "reason"
EXIT_CODE = LABEL_PREFIX + "exit-code"
FINISHED = LABEL_PREFIX + "finished"


def service_labels(job: Job, instance: str) -> dict[str, str]:
    """The labels of a job's service."""
    return {**job.labels, **job_labels(job, instance)}


def container_labels(job: Job, instance: str) -> dict[str, str]:
    """The labels of its containers: those that the job asked for, and whose it is."""
    return {**job.labels, **identity_labels(job.jid, instance)}


def end_labels(end: JobInfo) -> dict[str, str]:
    """The labels that keep how a job ended."""
    labels = {MESSAGE: end.message}
    if end.reason:
        labels[REASON] = end.reason.value
    if end.exit_code is not None:
        labels[EXIT_CODE] = str(end.exit_code)
    if end.finished:
        labels[FINISHED] = end.finished.isoformat()
    return labels
