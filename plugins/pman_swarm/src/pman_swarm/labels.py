"""What pman writes on a service; what is alike on containers stands in ``pman_docker``."""

from __future__ import annotations

import json

from pman_core import Job, JobInfo
from pman_core.kit.names import FINGERPRINT_LABEL, INSTANCE_LABEL, JID_LABEL, LABEL_PREFIX
from pman_docker.labels import IMAGE, KEYS, MESSAGE, REASON

#: How the job ended, beside ``MESSAGE`` and, where it failed, ``REASON``. The swarm's own state of
#: an ended job changes when somebody has it run again; these labels stay.
EXIT_CODE = LABEL_PREFIX + "exit-code"
FINISHED = LABEL_PREFIX + "finished"

#: Who submitted the job, if somebody is known.
OWNER = LABEL_PREFIX + "owner"


def service_labels(job: Job, instance: str) -> dict[str, str]:
    """The labels of a job's service."""
    labels = {
        **container_labels(job, instance),
        FINGERPRINT_LABEL: job.fingerprint,
        IMAGE: job.image,
        KEYS: json.dumps(sorted(job.labels)),
    }
    return labels if job.owner is None else {**labels, OWNER: job.owner}


def container_labels(job: Job, instance: str) -> dict[str, str]:
    """The labels of its containers: those that the job asked for, and whose it is."""
    return {**job.labels, JID_LABEL: job.jid, INSTANCE_LABEL: instance}


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
