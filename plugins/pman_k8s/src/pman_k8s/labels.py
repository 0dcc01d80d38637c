"""What pman writes on a Job, and how it reads that back.

Labels are for selecting: the instance, and the labels that the job asked for. What may be any text
is in annotations; all those of an object together may have 256 KiB, so no argv is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pman_core import Job
from pman_core.kit.names import FINGERPRINT_LABEL, INSTANCE_LABEL, JID_LABEL, LABEL_PREFIX

Payload = dict[str, Any]

#: The image as the client named it: an admission webhook may change the pod's.
IMAGE = LABEL_PREFIX + "image"

#: Whoever submitted the job; it is not there where nobody is known.
OWNER = LABEL_PREFIX + "owner"

#: The keys of the labels that the job asked for; others may come from webhooks.
KEYS = LABEL_PREFIX + "label-keys"

#: The names of the pods that were seen first: any other is a second run.
PODS = LABEL_PREFIX + "pods"

#: The image that could not be had, and in the next line why: events that say it go after an hour.
PULL = LABEL_PREFIX + "pull"

#: When the job was first seen to have begun; its pods may go, or forget it.
STARTED = LABEL_PREFIX + "started"

#: The names of pods whose job has ended, and whose other containers are still to be ended.
PODS_TO_END = LABEL_PREFIX + "rest"

#: How the job ended, as it was first told; see ``outcome.py``.
OUTCOME = LABEL_PREFIX + "verdict"


def labels_for(job: Job, instance: str) -> dict[str, str]:
    """The labels of a Job and of its pods."""
    return {**job.labels, INSTANCE_LABEL: instance}


def annotations_for(job: Job, instance: str) -> dict[str, str]:
    """The annotations of a new Job."""
    notes = {
        JID_LABEL: job.jid,
        INSTANCE_LABEL: instance,
        FINGERPRINT_LABEL: job.fingerprint,
        IMAGE: job.image,
        KEYS: json.dumps(sorted(job.labels)),
    }
    return notes if job.owner is None else {**notes, OWNER: job.owner}


def annotations_of(found: Mapping[str, Any]) -> Mapping[str, str]:
    """The annotations of an object."""
    return found["metadata"].get("annotations") or {}


def is_ours(found: Mapping[str, Any], jid: str, instance: str) -> bool:
    """Whether an object is the Job of that very job of this pman."""
    labels = found["metadata"].get("labels") or {}
    return annotations_of(found).get(JID_LABEL) == jid and labels.get(INSTANCE_LABEL) == instance


def requested_labels(found: Mapping[str, Any]) -> dict[str, str]:
    """The labels that the job asked for."""
    labels = found["metadata"].get("labels") or {}
    return {key: labels.get(key, "") for key in json.loads(annotations_of(found).get(KEYS, "[]"))}


def recorded_pods(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the pods that were seen first."""
    return tuple(annotations_of(found).get(PODS, "").split())


def pods_to_end(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the pods that are still to be ended after their job."""
    return tuple(annotations_of(found).get(PODS_TO_END, "").split())


def recorded_pull(found: Mapping[str, Any]) -> tuple[str, str]:
    """The image that could not be had, and the engine's words; empty if there is none."""
    image, _, words = annotations_of(found).get(PULL, "").partition("\n")
    return image, words


def selector(labels: Mapping[str, str]) -> str:
    """A label selector that all of these labels fit."""
    return ",".join(f"{key}={value}" for key, value in labels.items())


def of_jobs(uids: Iterable[str]) -> str:
    """A label selector for the pods of these Jobs, by the label that every version sets."""
    return f"controller-uid in ({','.join(uids)})"
