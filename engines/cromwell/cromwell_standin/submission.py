"""A submission: the parts of its form, checked, and the record of a new workflow."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cromwell_standin import clock, labels
from cromwell_standin.errors import ApiError
from cromwell_standin.store import Record

_PARTS = {
    "workflowSource", "workflowUrl", "workflowType", "workflowTypeVersion", "workflowRoot",
    "workflowInputs", "workflowOptions", "labels", "workflowDependencies", "workflowOnHold",
    "requestedWorkflowId",
}  # fmt: skip
_AUXILIARY = "workflowInputs_"
_LONGEST_URL = 2000


@dataclass(frozen=True)
class Submission:
    """What a form asks for; one workflow for each set of inputs."""

    ids: list[str]
    source: str
    inputs: list[dict[str, Any]]
    options: dict[str, Any]
    labels: dict[str, str]
    labels_text: str
    fields: dict[str, str]
    on_hold: bool


def read(form: Mapping[str, bytes]) -> Submission:
    """Check a form.

    :raises ApiError: with every fault.
    """
    faults = [
        f"Unexpected body part name: {name}"
        for name in form
        if name not in _PARTS and not name.startswith(_AUXILIARY)
    ]
    given = {name: content.decode(errors="replace") for name, content in form.items()}
    _check_source(given, faults)
    inputs = _inputs(given, faults)
    options = _object(
        given.get("workflowOptions", "{}"), "Invalid workflow options provided", faults
    )
    own = _object(given.get("labels", "{}"), "Workflow contains invalid labels JSON", faults)
    faults += labels.faults(own)
    on_hold = given.get("workflowOnHold", "false").lower()
    if on_hold not in ("true", "false"):
        faults.append(f'For input string: "{given["workflowOnHold"]}"')
    ids = _ids(given.get("requestedWorkflowId"), len(inputs), faults)
    if "workflowDependencies" in given:
        faults.append("this stand-in knows no workflowDependencies")
    if faults:
        raise ApiError(400, "Error(s): " + "\n".join(faults))
    return Submission(
        ids=ids,
        source=given["workflowSource"],
        inputs=inputs,
        options=options,
        labels=own,
        labels_text=given.get("labels", "{}"),
        fields={
            name: given.get(name, "")
            for name in ("workflowType", "workflowTypeVersion", "workflowRoot")
        },
        on_hold=on_hold == "true",
    )


def _check_source(given: Mapping[str, str], faults: list[str]) -> None:
    url = given.get("workflowUrl")
    if (url is None) == ("workflowSource" not in given):
        both = "both provided" if url is not None else "missing"
        faults.append(f"workflowSource and workflowUrl {both}: exactly one needs to be supplied")
    elif url is not None and len(url) > _LONGEST_URL:
        faults.append(
            f"Invalid workflow url: url has length {len(url)}, longer than the maximum allowed "
            f"{_LONGEST_URL} characters"
        )
    elif url is not None:
        faults.append("this stand-in fetches no workflowUrl")


def _inputs(given: Mapping[str, str], faults: list[str]) -> list[dict[str, Any]]:
    """The sets of inputs; of keys in more than one part the last part has the say."""
    try:
        main = json.loads(given.get("workflowInputs", "{}"))
        names = sorted(
            (name for name in given if name.startswith(_AUXILIARY)),
            key=lambda name: int(name.removeprefix(_AUXILIARY)),
        )
        extra = [json.loads(given[name]) for name in names]
    except ValueError as error:
        faults.append(f"Input file is not valid yaml nor json: {error}")
        return [{}]
    sets = main if isinstance(main, list) else [main]
    if not sets or not all(isinstance(one, dict) for one in [*sets, *extra]):
        faults.append("Submitted inputs couldn't be processed, please check for syntactical errors")
        return [{}]
    merged = []
    for one in sets:
        for more in extra:
            one = {**one, **more}
        merged.append(one)
    return merged


def _object(text: str, complaint: str, faults: list[str]) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        faults.append(f"{complaint}: {error}")
        return {}
    if not isinstance(value, dict):
        faults.append(f"{complaint}: Expected a JsObject")
        return {}
    return value


def _ids(text: str | None, count: int, faults: list[str]) -> list[str]:
    """One chosen by the client, or a list of them for a batch; else random ones."""
    if text is None:
        return [str(uuid.uuid4()) for _ in range(count)]
    try:
        chosen = json.loads(text) if text.lstrip().startswith("[") else [text]
        found = [str(uuid.UUID(one)) for one in chosen]
    except (ValueError, AttributeError, TypeError):
        faults.append(f"Invalid workflow ID: '{text}'.")
        return []
    if len(found) != count:
        faults.append(f"{len(found)} workflow IDs were requested for {count} workflows")
    if len(set(found)) != len(found):
        faults.append("Requested workflow IDs are not unique")
    return found


def records(asked: Submission) -> list[Record]:
    """The new workflows."""
    state = "On Hold" if asked.on_hold else "Submitted"
    return [_record(asked, index, state) for index in range(len(asked.ids))]


def _record(asked: Submission, index: int, state: str) -> Record:
    files = {
        "workflow": asked.source,
        "workflowUrl": "",
        "root": asked.fields["workflowRoot"],
        "options": json.dumps(asked.options, indent=2) if asked.options else "{\n\n}",
        "inputs": json.dumps(asked.inputs[index]),
        "labels": asked.labels_text,
    }
    files |= {
        name: asked.fields[name]
        for name in ("workflowType", "workflowTypeVersion")
        if asked.fields[name]
    }
    metadata = {
        "id": asked.ids[index],
        "status": state,
        "submission": clock.now(),
        "submittedFiles": files,
        "labels": asked.labels,
        "inputs": {},
        "outputs": {},
        "calls": {},
    }
    return {"store": state, "options": asked.options, "metadata": metadata, "run": {}}
