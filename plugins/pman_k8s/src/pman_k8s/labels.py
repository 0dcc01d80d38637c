"""What pman writes on a Job and its pods, and how it reads that back.

Labels are for selecting: the instance, and the labels that the job asked for. What may be any text
is in annotations. All those of an object together may have 256 KiB, so they do not hold argv.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pman_core import Job
from pman_core.kit.job_labels import asked_labels, is_of_job
from pman_core.kit.names import INSTANCE_LABEL, LABEL_PREFIX

#: The name of the container of a pod that is the job; webhooks may add others.
CONTAINER = "job"

#: The names of the pods that were seen first: any other is a second run.
PODS = LABEL_PREFIX + "pods"

#: The image that could not be pulled, and in the next line why: the cluster deletes events that
#: say so after an hour.
PULL = LABEL_PREFIX + "pull"

#: When the job was first seen to have begun; its pods may go, or forget it.
STARTED = LABEL_PREFIX + "started"

#: The names of pods whose job has ended, and whose other containers are still to be ended.
PODS_TO_END = LABEL_PREFIX + "rest"

#: How the job ended, as it was first reported; see ``record.py``.
OUTCOME = LABEL_PREFIX + "verdict"


def labels_for(job: Job, instance: str) -> dict[str, str]:
    """The labels of a new Job and of its pods."""
    return {**job.labels, INSTANCE_LABEL: instance}


def annotations_of(found: Mapping[str, Any]) -> Mapping[str, str]:
    """The annotations of an object."""
    return found["metadata"].get("annotations") or {}


def _labels_of(found: Mapping[str, Any]) -> Mapping[str, str]:
    return found["metadata"].get("labels") or {}


def is_ours(found: Mapping[str, Any], jid: str, instance: str) -> bool:
    """Whether an object is the Job of that very job of this pman."""
    # The label counts, not the annotation: it is what a list of jobs selects.
    label = _labels_of(found).get(INSTANCE_LABEL, "")
    return is_of_job({**annotations_of(found), INSTANCE_LABEL: label}, jid, instance)


def requested_labels(found: Mapping[str, Any]) -> dict[str, str]:
    """The labels that the job asked for."""
    return asked_labels(annotations_of(found), _labels_of(found))


def recorded_pods(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the pods that were seen first."""
    return tuple(annotations_of(found).get(PODS, "").split())


def pods_to_end(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the pods that are still to be ended after their job."""
    return tuple(annotations_of(found).get(PODS_TO_END, "").split())


def recorded_pull(found: Mapping[str, Any]) -> tuple[str, str]:
    """The image that could not be pulled, and the engine's words; empty if there is none."""
    image, _, words = annotations_of(found).get(PULL, "").partition("\n")
    return image, words


def selector(labels: Mapping[str, str]) -> str:
    """A label selector that matches objects which have all of these labels."""
    return ",".join(f"{key}={value}" for key, value in labels.items())


def of_jobs(uids: Iterable[str]) -> str:
    """A label selector for the pods of these Jobs, by the label that every version sets."""
    return f"controller-uid in ({','.join(uids)})"
