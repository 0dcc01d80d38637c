"""What every engine keeps of a job beside its payload, as texts under keys of pman's own.

Where they lie is the backend's choice: labels, annotations, a record. Engines mix the labels that a
job asked for with those of its image or of admission webhooks, so their keys are kept, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pman_core.contract.job import Job
from pman_core.kit.names import FINGERPRINT_LABEL, INSTANCE_LABEL, JID_LABEL, LABEL_PREFIX

#: The image as the client named it.
IMAGE_LABEL = LABEL_PREFIX + "image"

#: The keys of the labels that the job asked for, as JSON.
KEYS_LABEL = LABEL_PREFIX + "label-keys"

#: The owner as JSON, so that nobody differs from an empty name.
OWNER_LABEL = LABEL_PREFIX + "owner"


def identity_labels(jid: str, instance: str) -> dict[str, str]:
    """What says that an object is of that job of that instance."""
    return {JID_LABEL: jid, INSTANCE_LABEL: instance}


def job_labels(job: Job, instance: str) -> dict[str, str]:
    """What must be kept of a job to report it later; its own labels are not among it."""
    return {
        **identity_labels(job.jid, instance),
        FINGERPRINT_LABEL: job.fingerprint,
        IMAGE_LABEL: job.image,
        KEYS_LABEL: json.dumps(sorted(job.labels)),
        OWNER_LABEL: json.dumps(job.owner),
    }


def is_of_job(kept: Mapping[str, str] | None, jid: str, instance: str) -> bool:
    """Whether an object belongs to that very job of that instance.

    :param kept: its labels; ``None`` is none.
    """
    found = kept or {}
    return found.get(JID_LABEL) == jid and found.get(INSTANCE_LABEL) == instance


def asked_labels(kept: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that the job asked for.

    :param kept: where ``job_labels`` were put.
    :param labels: where the job's own labels were put; often the same.
    """
    return {key: labels.get(key, "") for key in json.loads(kept.get(KEYS_LABEL, "[]"))}


def owner_in(kept: Mapping[str, str]) -> str | None:
    """The owner of the job; ``None`` if it has none."""
    owner: str | None = json.loads(kept.get(OWNER_LABEL, "null"))
    return owner
