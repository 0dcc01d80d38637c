"""Cromwell's responses as values, with the keys that pman reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from pman_core.kit.times import parsed_time

T = TypeVar("T")

_ENDS = frozenset({"Succeeded", "Failed", "Aborted"})


@attrs.frozen
class WorkflowStatus:
    """``GET /{id}/status``, and the answer to a submission."""

    id: str
    status: str


@attrs.frozen
class Failure:
    """Why a workflow or a call failed, and why that came about."""

    message: str = ""
    caused_by: list[Failure] = attrs.field(factory=list)

    def roots(self) -> Iterator[str]:
        """The messages of the innermost causes."""
        if not self.caused_by:
            yield self.message
        for cause in self.caused_by:
            yield from cause.roots()


@attrs.frozen
class Call:
    """A task that was called."""

    job_id: str | None = None


@attrs.frozen
class SubmittedFiles:
    """What was submitted."""

    inputs: str = ""


@attrs.frozen
class Workflow:
    """``GET /{id}/metadata``."""

    id: str
    status: str = ""
    end: datetime | None = None
    calls: dict[str, list[Call]] = attrs.field(factory=dict)
    failures: list[Failure] = attrs.field(factory=list)
    submitted_files: SubmittedFiles = attrs.field(factory=SubmittedFiles)

    @property
    def has_ended(self) -> bool:
        """Whether it will not change any more."""
        return self.status in _ENDS

    @property
    def call(self) -> Call:
        """The last attempt of the only call."""
        attempts = [call for calls in self.calls.values() for call in calls]
        return attempts[-1] if attempts else Call()


@attrs.frozen
class QueryResult:
    """One result of ``/query``."""

    id: str
    labels: dict[str, str] = attrs.field(factory=dict)
    metadata_archive_status: str = ""

    @property
    def is_archived(self) -> bool:
        """Whether Cromwell gives no metadata of it any more, and takes no labels."""
        return self.metadata_archive_status.startswith("Archived")


@attrs.frozen
class QueryResults:
    """``/query``."""

    results: list[QueryResult]
    total_results_count: int


@attrs.frozen
class Version:
    """``GET /engine/v1/version``."""

    cromwell: str


def structured(content: Any, kind: type[T]) -> T:
    """A response as a value; unknown keys are ignored.

    :raises ValueError: something is missing, or has another form.
    """
    try:
        return _converter().structure(content, kind)
    except Exception as error:  # cattrs raises groups of whatever the parts raised
        raise ValueError(f"no {kind.__name__}") from error


@cache
def _converter() -> Converter:
    converter = Converter()
    converter.register_structure_hook(datetime, lambda text, _: parsed_time(text))
    converter.register_structure_hook_factory(attrs.has, lambda kind: _by_camel(kind, converter))
    return converter


def _by_camel(kind: Any, converter: Converter) -> Any:
    """Structures a class of this module from Cromwell's spelling of its names."""
    names: dict[str, Any] = {
        field.name: override(rename=_camel(field.name))
        for field in attrs.fields(attrs.resolve_types(kind))
    }
    return make_dict_structure_fn(kind, converter, **names)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
