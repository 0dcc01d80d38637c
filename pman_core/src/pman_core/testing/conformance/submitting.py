"""Submits or cancels one job from a process of its own, so that a test can kill it meanwhile."""

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
class Order:
    """What the process needs to know: the factory, its environment, and the job as JSON.

    :param cancels: whether the job, which exists, is to be cancelled.
    """

    module: str
    factory: str
    environ: dict[str, str]
    job: str
    cancels: bool = False


def main() -> None:
    """Read an order, say that it begins, and do it."""
    order = Order(**json.load(sys.stdin))
    factory = operator.attrgetter(order.factory)(importlib.import_module(order.module))
    manager = registry.new_manager()
    registry.register_backend(manager, factory(order.environ), order.module)
    backend = Backend(manager, order.module)
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    job = job_from_json(order.job)
    if order.cancels:
        backend.cancel(job.jid)
    else:
        backend.submit(job)


if __name__ == "__main__":
    main()
