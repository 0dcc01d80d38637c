"""Submits one job from a process of its own, so that a test can kill it while it does."""

from __future__ import annotations

import importlib
import json
import operator
import sys
from typing import Any

import attrs
from cattrs.preconf.json import make_converter

from pman_core import registry
from pman_core.backend import Backend
from pman_core.job import Job
from pman_core.mounts import ClaimPath, HostPath, NfsPath, Source, VolumePath


@attrs.frozen
class SubmitOrder:
    """What the process needs to know."""

    module: str
    factory: str
    environ: dict[str, str]
    job: Job


_converter = make_converter()
_KINDS: dict[str, type[Source]] = {
    kind.__name__: kind for kind in (HostPath, VolumePath, ClaimPath, NfsPath)
}


def _source_out(source: Source) -> dict[str, Any]:
    return {"kind": type(source).__name__, **attrs.asdict(source)}


def _source_in(value: dict[str, Any], _: Any) -> Source:
    return _KINDS[value.pop("kind")](**value)


_converter.register_unstructure_hook(Source, _source_out)
_converter.register_structure_hook(Source, _source_in)


def order_json(order: SubmitOrder) -> str:
    """The order as text for the process's standard input."""
    return json.dumps(_converter.unstructure(order))


def main() -> None:
    """Read an order, say that it begins, and submit the job."""
    order = _converter.structure(json.load(sys.stdin), SubmitOrder)
    factory = operator.attrgetter(order.factory)(importlib.import_module(order.module))
    manager = registry.new_manager()
    registry.register_backend(manager, factory(order.environ), order.module)
    backend = Backend(manager, order.module)
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    backend.submit(order.job)


if __name__ == "__main__":
    main()
