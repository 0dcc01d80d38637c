"""A job as JSON, for engines that must keep a whole job until they can run it."""

from __future__ import annotations

import functools
import json
from typing import Any

import attrs
from cattrs import Converter
from cattrs.preconf.json import make_converter

from pman_core.contract.job import Job
from pman_core.contract.mounts import ClaimPath, HostPath, NfsPath, Source, VolumePath

_KINDS: dict[str, type[Source]] = {
    kind.__name__: kind for kind in (HostPath, VolumePath, ClaimPath, NfsPath)
}


def job_to_json(job: Job) -> str:
    """The whole job, its environment included: who can read the text can read that."""
    return json.dumps(_converter().unstructure(job))


def job_from_json(text: str) -> Job:
    """The job that :func:`job_to_json` wrote.

    :raises ValueError: the text is something else.
    """
    try:
        return _converter().structure(json.loads(text), Job)
    except Exception as error:  # cattrs raises groups of whatever the parts raised
        raise ValueError("not a job as pman writes it down") from error


@functools.cache
def _converter() -> Converter:
    converter = make_converter()
    converter.register_unstructure_hook(Source, _source_out)
    converter.register_structure_hook(Source, _source_in)
    return converter


def _source_out(source: Source) -> dict[str, Any]:
    return {"kind": type(source).__name__, **attrs.asdict(source)}


def _source_in(value: dict[str, Any], _: Any) -> Source:
    content = dict(value)
    return _KINDS[content.pop("kind")](**content)
