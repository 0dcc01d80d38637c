"""What pman writes on the engine's objects, and how it reads that back.

A job has one object or two. The *first* has the job's native name, which is the lock: it is the
job's container, or, where the image must be pulled first, a note. The *second* exists where the
first could not become the running job: it is the container that does, or a note that says why
none could be started. A job that is cancelled while it runs has two second objects more, notes
that say so (``cancellation_record.py``). A note is a container that is never started, of an image
that holds nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pman_core import Job, Reason
from pman_core.kit.names import FINGERPRINT_LABEL, INSTANCE_LABEL, JID_LABEL, LABEL_PREFIX
from pman_core.kit.serial import job_from_json, job_to_json

#: What an object is.
KIND = LABEL_PREFIX + "kind"
CONTAINER, WAITING, ENDED = "container", "waiting", "verdict"

#: The notes of a cancellation: that one has begun, and from when on it counts.
CANCEL, CANCELLED = "cancel", "cancelled"

#: The whole job, on its first object: any pman process can go on with it.
JOB = LABEL_PREFIX + "job"

#: On a second object: the id of the first one that it belongs to. On a first one it is empty, since
#: the image may have such a label.
OF = LABEL_PREFIX + "of"

#: On a verdict: the reason, and the message for a person.
REASON = LABEL_PREFIX + "reason"
MESSAGE = LABEL_PREFIX + "message"

#: The image as the client named it, and the keys of the labels that the job asked for; the
#: engine mixes these with the labels of the image.
IMAGE = LABEL_PREFIX + "image"
KEYS = LABEL_PREFIX + "label-keys"

#: The owner as JSON, which tells nobody from a nameless one, whatever labels the image has.
OWNER = LABEL_PREFIX + "owner"

#: The image that holds nothing.
PLACEHOLDER_IMAGE = "localhost/pman-note:1"


def second_name(name: str, kind: str = CONTAINER) -> str:
    """The name of a job's second object of a kind. No job has it: native names hold no dot."""
    return f"{name}.{kind if kind in (CANCEL, CANCELLED) else 'run'}"


def container_labels(job: Job, instance: str, of: str = "") -> dict[str, str]:
    """The labels of a job's container; ``of`` makes it a second object."""
    labels = {
        **job.labels,
        **_identity(job.jid, instance),
        FINGERPRINT_LABEL: job.fingerprint,
        KIND: CONTAINER,
        IMAGE: job.image,
        KEYS: json.dumps(sorted(job.labels)),
        OWNER: json.dumps(job.owner),
    }
    return {**labels, OF: of} if of else {**labels, OF: "", JOB: job_to_json(job)}


def waiting_labels(job: Job, instance: str) -> dict[str, str]:
    """The labels of a note that a job waits for its image."""
    return {**_identity(job.jid, instance), KIND: WAITING, JOB: job_to_json(job)}


def end_labels(
    jid: str, instance: str, of: str, reason: Reason, message: str, kind: str = ENDED
) -> dict[str, str]:
    """The labels of a note that a job could not be started, or of one of its cancellation."""
    verdict = {KIND: kind, OF: of, REASON: reason.value, MESSAGE: message}
    return {**_identity(jid, instance), **verdict}


def is_of_cancellation(labels: Mapping[str, str]) -> bool:
    """Whether an object is there since somebody has cancelled its job."""
    return labels.get(KIND) != CONTAINER and labels.get(REASON) == Reason.CANCELLED


def _identity(jid: str, instance: str) -> dict[str, str]:
    return {JID_LABEL: jid, INSTANCE_LABEL: instance}


def asked_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that the job asked for."""
    return {key: labels.get(key, "") for key in json.loads(labels.get(KEYS, "[]"))}


def owner_of(labels: Mapping[str, str]) -> str | None:
    """Who submitted the job of a container."""
    owner: str | None = json.loads(labels.get(OWNER, "null"))
    return owner


def job_of(labels: Mapping[str, str]) -> Job:
    """The job that a first object carries."""
    return job_from_json(labels[JOB])


def is_ours(labels: Mapping[str, Any] | None, jid: str, instance: str) -> bool:
    """Whether an object belongs to that very job of this pman."""
    found = labels or {}
    return found.get(JID_LABEL) == jid and found.get(INSTANCE_LABEL) == instance
