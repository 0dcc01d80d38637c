"""The labels of workflows, by which Cromwell finds those of a job."""

from __future__ import annotations

from pman_core.kit.job_labels import identity_labels
from pman_core.kit.names import FINGERPRINT_LABEL, INSTANCE_LABEL, LABEL_PREFIX
from pman_cromwell.job_spec import JobSpec
from pman_cromwell.responses import QueryResult

#: The job's native name: plain ASCII, so it can be asked for.
NAME_LABEL = LABEL_PREFIX + "name"
#: How many jobs of this id were removed before.
GENERATION_LABEL = LABEL_PREFIX + "generation"
#: On a workflow whose job was removed.
REMOVED_LABEL = LABEL_PREFIX + "removed"

#: What marks a workflow as removed.
REMOVED_MARK = {REMOVED_LABEL: "yes"}


def workflow_labels(spec: JobSpec) -> dict[str, str]:
    """The workflow's labels; pman's own cannot be set by a job."""
    return {
        **spec.labels,
        **identity_labels(spec.jid, spec.instance),
        NAME_LABEL: spec.name,
        FINGERPRINT_LABEL: spec.fingerprint,
        GENERATION_LABEL: str(spec.generation),
    }


def selector(instance: str, name: str) -> dict[str, str]:
    """The labels that all workflows of the job of that name have."""
    return {INSTANCE_LABEL: instance, NAME_LABEL: name}


def generation_of(found: QueryResult) -> int:
    """How many jobs of its id were removed before."""
    return int(found.labels.get(GENERATION_LABEL, "0"))


def is_removed(found: QueryResult) -> bool:
    """Whether its job was removed."""
    return REMOVED_LABEL in found.labels


def is_gone(found: QueryResult) -> bool:
    """Whether it is no job any more: removed, or so old that it can be neither read nor marked."""
    return is_removed(found) or found.is_archived
