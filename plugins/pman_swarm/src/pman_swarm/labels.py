"""What pman writes on a service; what is alike on containers stands in ``pman_docker``."""

from __future__ import annotations

import json

from pman_core import Job, Reason
from pman_core.names import FINGERPRINT_LABEL, INSTANCE_LABEL, JID_LABEL, LABEL_PREFIX
from pman_docker.labels import IMAGE, KEYS, MESSAGE, REASON

#: Where a worker was killed: whether it was out of memory, as far as pman could see.
OUT_OF_MEMORY = LABEL_PREFIX + "out-of-memory"


def service_labels(job: Job, instance: str) -> dict[str, str]:
    """The labels of a job's service."""
    return {
        **container_labels(job, instance),
        FINGERPRINT_LABEL: job.fingerprint,
        IMAGE: job.image,
        KEYS: json.dumps(sorted(job.labels)),
    }


def container_labels(job: Job, instance: str) -> dict[str, str]:
    """The labels of its containers: those that the job asked for, and whose it is."""
    return {**job.labels, JID_LABEL: job.jid, INSTANCE_LABEL: instance}


def verdict_labels(reason: Reason, message: str) -> dict[str, str]:
    """The labels that tell why pman ended a job."""
    return {REASON: reason.value, MESSAGE: message}


def memory_labels(out_of_memory: bool) -> dict[str, str]:
    """The labels that tell whether a killed worker was out of memory."""
    return {OUT_OF_MEMORY: "yes" if out_of_memory else "unknown"}
