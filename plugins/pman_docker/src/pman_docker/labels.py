"""Names and labels of the containers that belong to a job.

A job has one object or two. The *first* has the job's native name, which is the lock. It is the
job's container or, where the image must be pulled first, a placeholder. The *second* exists where
the first could not become the running job. It is the container that does, or a placeholder that
keeps why none could be started. A job that is cancelled while it runs has two more placeholders
(``cancellation_record.py``). A placeholder is a container that is never started, of an image that
holds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from pman_core import Job, Reason
from pman_core.kit.job_labels import identity_labels, job_labels
from pman_core.kit.names import LABEL_PREFIX
from pman_core.kit.outcome import Outcome
from pman_core.kit.serial import job_from_json, job_to_json

#: What an object is. ``ENDED`` is a placeholder that keeps a failure.
KIND = LABEL_PREFIX + "kind"
CONTAINER, WAITING, ENDED = "container", "waiting", "verdict"

#: The placeholders of a cancellation: it has begun; from when on it counts.
CANCEL, CANCELLED = "cancel", "cancelled"

#: The whole job, on its first object: any pman process can go on with it.
JOB = LABEL_PREFIX + "job"

#: On a second object: the id of the first one that it belongs to. On a first one it is empty, since
#: the image may have such a label.
OF = LABEL_PREFIX + "of"

#: On a placeholder of an end: the reason, and the message for a person.
REASON = LABEL_PREFIX + "reason"
MESSAGE = LABEL_PREFIX + "message"

#: The image that holds nothing.
PLACEHOLDER_IMAGE = "localhost/pman-note:1"


def second_name(name: str, kind: str = CONTAINER) -> str:
    """The name of a job's second object of a kind. No job has it: native names hold no dot."""
    return f"{name}.{kind if kind in (CANCEL, CANCELLED) else 'run'}"


def container_labels(job: Job, instance: str, of: str = "") -> dict[str, str]:
    """The labels of a job's container; ``of`` makes it a second object."""
    labels = {**job.labels, **job_labels(job, instance), KIND: CONTAINER, OF: of}
    return labels if of else {**labels, JOB: job_to_json(job)}


def waiting_labels(job: Job, instance: str) -> dict[str, str]:
    """The labels of a placeholder of a job that waits for its image."""
    return {**identity_labels(job.jid, instance), KIND: WAITING, JOB: job_to_json(job)}


def end_labels(
    jid: str, instance: str, of: str, outcome: Outcome, kind: str = ENDED
) -> dict[str, str]:
    """The labels of a placeholder that keeps a failure, or the cancellation, of a job."""
    reason = outcome.reason.value if outcome.reason else ""
    end = {KIND: kind, OF: of, REASON: reason, MESSAGE: outcome.message}
    return {**identity_labels(jid, instance), **end}


def is_of_cancellation(labels: Mapping[str, str]) -> bool:
    """Whether an object keeps the cancellation of its job."""
    return labels.get(KIND) != CONTAINER and labels.get(REASON) == Reason.CANCELLED


def job_of(labels: Mapping[str, str]) -> Job:
    """The job that a first object carries."""
    return job_from_json(labels[JOB])
