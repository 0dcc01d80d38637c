"""Submits one job from a process of its own, so that a test can kill it while it does."""

from __future__ import annotations

import importlib
import json
import operator
import sys

import attrs

from pman_core import registry
from pman_core.backend import Backend
from pman_core.serial import job_from_json


@attrs.frozen
class SubmitOrder:
    """What the process needs to know: the factory, its environment, and the job as JSON."""

    module: str
    factory: str
    environ: dict[str, str]
    job: str


def main() -> None:
    """Read an order, say that it begins, and submit the job."""
    order = SubmitOrder(**json.load(sys.stdin))
    factory = operator.attrgetter(order.factory)(importlib.import_module(order.module))
    manager = registry.new_manager()
    registry.register_backend(manager, factory(order.environ), order.module)
    backend = Backend(manager, order.module)
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    backend.submit(job_from_json(order.job))


if __name__ == "__main__":
    main()
