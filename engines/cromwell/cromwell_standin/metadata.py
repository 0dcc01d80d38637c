"""Metadata as the client gets it, and the summary that most answers are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cromwell_standin.errors import ApiError
from cromwell_standin.store import Record

#: Metadata of this status is in the archive only.
ARCHIVED = "ArchivedAndDeleted"

_CALL_ALWAYS = {"shardIndex", "attempt"}


def summary(record: Record) -> Record:
    """A workflow's line in the summary."""
    metadata = record["metadata"]
    return {
        "id": metadata["id"],
        "name": metadata.get("workflowName"),
        "status": metadata["status"],
        "submission": metadata["submission"],
        "start": metadata.get("start"),
        "end": metadata.get("end"),
        "metadataArchiveStatus": record.get("archive", "Unarchived"),
        "labels": metadata["labels"],
    }


def archived(summary_: Record) -> Record:
    """What takes the place of metadata that is in the archive only."""
    return {
        "id": summary_["id"],
        "metadataArchiveStatus": summary_["metadataArchiveStatus"],
        "message": "Cromwell has archived this workflow's metadata according to the lifecycle "
        f"policy. The workflow completed at {summary_['end']}.",
    }


def view(metadata: Record, include: Sequence[str], exclude: Sequence[str]) -> Record:
    """The parts that are asked for: keys are compared by their beginnings.

    :raises ApiError: a key is asked for and not wanted at once.
    """
    if both := set(include) & set(exclude):
        raise ApiError(
            400,
            f"includeKey and excludeKey may not contain the same keys: {', '.join(sorted(both))}",
        )
    calls = {
        name: [_pruned(call, include, exclude) | _kept(call, _CALL_ALWAYS) for call in attempts]
        for name, attempts in metadata["calls"].items()
        if "calls" not in exclude
    }
    if include:
        calls = {
            name: found
            for name, found in calls.items()
            if any(set(one) - _CALL_ALWAYS for one in found)
        }
    rest = {key: value for key, value in metadata.items() if key not in ("calls", "id")}
    shown = {**_pruned(rest, include, exclude), "id": metadata["id"]}
    if calls or not (include or "calls" in exclude):
        shown["calls"] = calls
    return shown


def _kept(values: Record, keys: set[str]) -> Record:
    return {key: value for key, value in values.items() if key in keys}


def _pruned(
    values: Record, include: Sequence[str], exclude: Sequence[str], above: str = ""
) -> Record:
    """Nested keys are written with colons: ``submittedFiles:labels``."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        path = above + key
        if any(path.startswith(one) for one in exclude):
            continue
        wanted = not include or any(path.startswith(one) for one in include)
        if isinstance(value, dict) and value:
            inner = _pruned(value, [] if wanted else include, exclude, path + ":")
            if inner:
                found[key] = inner
        elif wanted:
            found[key] = value
    return found


def logs(metadata: Record) -> Record:
    """Where a workflow's calls write: paths on Cromwell's own file system, and nothing else."""
    calls = {
        name: [_kept(call, {"stdout", "stderr", *_CALL_ALWAYS}) for call in attempts]
        for name, attempts in metadata["calls"].items()
    }
    return {"id": metadata["id"], "calls": calls} if calls else {"id": metadata["id"]}
