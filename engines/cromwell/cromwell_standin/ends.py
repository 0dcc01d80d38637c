"""The two ends of a run: picked up, and over."""

from __future__ import annotations

from typing import Any

from cromwell_standin import clock
from cromwell_standin.errors import WorkflowError
from cromwell_standin.store import Record, Store


def pick_up(record: Record) -> None:
    """Change a workflow that is picked up."""
    record["store"] = "Running"
    record["run"] = {"phase": "picked"}
    metadata = record["metadata"]
    metadata["start"] = clock.now()
    metadata["labels"]["cromwell-workflow-id"] = f"cromwell-{metadata['id']}"
    metadata["workflowProcessingEvents"] = [event("PickedUp")]


def event(description: str) -> dict[str, str]:
    """What Cromwell notes of its own doings."""
    return {"cromwellId": "cromid-standin", "description": description, "timestamp": clock.now()}


def call(record: Record) -> dict[str, Any]:
    """The metadata of the only call."""
    found: dict[str, Any] = record["metadata"]["calls"][record["run"]["call"]][0]
    return found


def fail(store: Store, workflow: str, error: WorkflowError) -> None:
    """End a workflow that cannot go on."""
    # What comes while an abort is under way is part of the abort.
    record = store.get(workflow)
    if record is not None and record["store"] == "Aborting":
        end(store, workflow, "Aborted")
    else:
        end(store, workflow, "Failed", error)


def end(store: Store, workflow: str, status: str, error: WorkflowError | None = None) -> None:
    """End a workflow, and its call with it."""

    def change(record: Record) -> None:
        metadata = record["metadata"]
        metadata.update(status=status, end=clock.now())
        metadata["workflowProcessingEvents"].append(event("Finished"))
        for one in (one for calls in metadata["calls"].values() for one in calls):
            if status != "Succeeded":
                one.update(executionStatus=status, backendStatus=status, end=clock.now())
            if error is not None:
                one["failures"] = error.failures()
        if error is not None:
            inside = {"message": "Workflow failed", "causedBy": error.failures()}
            metadata["failures"] = [inside] if metadata["calls"] else error.failures()
        record["store"] = None
        record["run"]["phase"] = "ended"

    store.update(workflow, change)
