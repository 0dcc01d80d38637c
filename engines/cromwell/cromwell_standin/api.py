"""What the routes do; :mod:`cromwell_standin.web` turns them into HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from cromwell_standin import VERSION, clock, labels, metadata, submission, wdl
from cromwell_standin.config import Site
from cromwell_standin.engine import Engine
from cromwell_standin.errors import ApiError, WorkflowError
from cromwell_standin.query import Question
from cromwell_standin.store import DuplicateError, Record, Store

Answer = dict[str, Any] | list[dict[str, Any]]


class Api:
    """The API of one server."""

    def __init__(self, store: Store, engine: Engine, site: Site) -> None:
        self._store = store
        self._engine = engine
        self._site = site

    def submit(self, form: Mapping[str, bytes], *, batch: bool) -> Answer:
        """POST /api/workflows/v1 and /batch."""
        asked = submission.read(form)
        if not batch and len(asked.inputs) != 1:
            raise ApiError(
                400, "To submit more than one workflow at a time, use the batch endpoint."
            )
        records = submission.records(asked)
        try:
            self._store.add(records)
        except DuplicateError as error:
            raise ApiError(400, self._duplicate(str(error))) from error
        answers = [
            {"id": one["metadata"]["id"], "status": one["metadata"]["status"]} for one in records
        ]
        return answers if batch else answers[0]

    def _duplicate(self, workflow: str) -> str:
        """Before the summary has seen the first one only the database's own rule speaks."""
        if self._store.summary(workflow) is not None:
            return f"Requested workflow IDs are already in use: {workflow}"
        return f"Duplicate entry '{workflow}' for key 'UC_WORKFLOW_STORE_ENTRY_WEU'"

    def status(self, text: str) -> Answer:
        """GET /{id}/status."""
        summary = self._summary(text)
        return {"id": summary["id"], "status": summary["status"]}

    def metadata(self, text: str, include: Sequence[str], exclude: Sequence[str]) -> Answer:
        """GET /{id}/metadata."""
        return self._archived(text) or metadata.view(self._newest(text), include, exclude)

    def outputs(self, text: str) -> Answer:
        """GET /{id}/outputs."""
        found = self._newest(text)
        return self._archived(text) or {"id": found["id"], "outputs": found["outputs"]}

    def logs(self, text: str) -> Answer:
        """GET /{id}/logs."""
        return self._archived(text) or metadata.logs(self._newest(text))

    def labels(self, text: str) -> Answer:
        """GET /{id}/labels."""
        summary = self._summary(text)
        return {"id": summary["id"], "labels": summary["labels"]}

    def patch_labels(self, text: str, changes: object) -> Answer:
        """PATCH /{id}/labels."""
        if not isinstance(changes, dict) or not all(
            isinstance(one, str) for one in changes.values()
        ):
            raise ApiError(400, "The request content was malformed: expected a map of strings")
        if faults := labels.faults(changes):
            raise ApiError(400, ",".join(faults))
        if archived := self._archived(text):
            refusal = "new labels can't be added or existing labels can't be updated"
            message = f"{archived['message']} As a result, {refusal} for this workflow."
            raise ApiError(400, message)

        def change(record: Record) -> None:
            record["metadata"]["labels"].update(changes)

        record = self._store.update(self._summary(text)["id"], change)
        return {"id": record["metadata"]["id"], "labels": record["metadata"]["labels"]}

    def query(self, parameters: Sequence[tuple[str, str]]) -> Answer:
        """GET and POST /query."""
        return Question(parameters).answer(self._store.summaries())

    def abort(self, text: str) -> Answer:
        """POST /{id}/abort: needs no summary."""
        workflow = _identity(text)
        refusal = f"Couldn't abort {workflow} because no workflow with that ID is in progress"
        if self._store.get(workflow) is None:
            raise ApiError(404, refusal, kind="error")
        before: list[str | None] = []

        def change(record: Record) -> None:
            before.append(record["store"])
            if record["store"] in ("On Hold", "Submitted"):
                record["store"] = None
                record["metadata"].update(status="Aborted", end=clock.now())
            elif record["store"] is not None:
                record["store"] = record["metadata"]["status"] = "Aborting"

        record = self._store.update(workflow, change)
        if before == [None]:
            raise ApiError(404, refusal, kind="error")
        self._engine.hurry(workflow)
        return {"id": workflow, "status": record["metadata"]["status"]}

    def release(self, text: str) -> Answer:
        """POST /{id}/releaseHold."""
        workflow = self._summary(text)["id"]
        held: list[bool] = []

        def change(record: Record) -> None:
            held.append(record["store"] == "On Hold")
            if held[0]:
                record["store"] = record["metadata"]["status"] = "Submitted"

        self._store.update(workflow, change)
        if not held[0]:
            message = (
                f"Couldn't change status of workflow {workflow} to 'Submitted' because the "
                "workflow is not in 'On Hold' state"
            )
            raise ApiError(403, message, kind="error")
        return {"id": workflow, "status": "Submitted"}

    def backends(self) -> Answer:
        """GET /backends."""
        name = self._site.backend.name
        return {"supportedBackends": [name], "defaultBackend": name}

    def version(self) -> Answer:
        """GET /engine/v1/version."""
        return {"cromwell": VERSION}

    def health(self) -> Answer:
        """GET /engine/v1/status."""
        return {"Engine Database": {"ok": True}}

    def describe(self, form: Mapping[str, bytes]) -> Answer:
        """POST /api/womtool/v1/describe: whether a document is valid."""
        try:
            program = wdl.parse(form.get("workflowSource", b"").decode(errors="replace"))
        except WorkflowError as error:
            return {"valid": False, "validWorkflow": False, "errors": error.causes or [error.title]}
        return {"valid": True, "validWorkflow": True, "errors": [], "name": program.workflow.name}

    def _summary(self, text: str) -> Record:
        workflow = _identity(text)
        found = self._store.summary(workflow)
        if found is None:
            raise ApiError(404, f"Unrecognized workflow ID: {workflow}")
        return found

    def _newest(self, text: str) -> Record:
        record = self._store.get(self._summary(text)["id"])
        return {} if record is None else dict(record["metadata"])

    def _archived(self, text: str) -> Record | None:
        summary = self._summary(text)
        return (
            metadata.archived(summary)
            if summary["metadataArchiveStatus"] == metadata.ARCHIVED
            else None
        )


def _identity(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise ApiError(400, f"Invalid workflow ID: '{text}'.") from error
