"""Submits or cancels one job from a process of its own, so that a test can kill it meanwhile."""

from __future__ import annotations

import importlib
import json
import operator
import subprocess
import sys
import time

import attrs

from pman_core._internal import registry
from pman_core._internal.backend import Backend
from pman_core.kit.serial import job_from_json


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


def begin_and_kill(order: Order, after_s: float) -> bool:
    """Carry an order out in a process of its own, and kill that so many seconds later.

    :return: whether it had begun.
    """
    with subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(attrs.asdict(order)))
        process.stdin.close()
        begun = process.stdout.readline() == "begun\n"
        time.sleep(after_s)  # the moment of the kill is what this varies
        process.kill()
    return begun


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
