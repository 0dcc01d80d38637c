"""``run``: runs the order that it reads, once, on a node, and tells how that ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from typing import IO

from . import verdict as ends
from .attend import attend
from .faults import FAULTS, verdict_of
from .files import BEGUN, worker_name
from .order import Order, decoded, order_of
from .verdict import Verdict, record, recorded
from .watch import Watch

#: What the Cromwell configuration says of the node.
RUNTIME_VARIABLE = "PMAN_RUNTIME"

_STEP = ("--export=ALL", "--input=all", "--kill-on-bad-exit=0", "--wait=0")


def run(lines: IO[str]) -> int:
    """Run the job that these two lines order; 0 for success.

    Another code would say nothing more, and some codes mean an abort to Cromwell: the verdict is
    in its file.
    """
    text = [lines.readline(), lines.readline()]
    order, environment = order_of(decoded(text[0])), decoded(text[1])
    if not os.path.isdir(order.folder):
        sys.stderr.write("pman has removed this job, or its storage is not mounted here\n")
        return 1
    watch = Watch(order.folder, order.time_limit_s)
    begun = os.open(os.path.join(order.folder, BEGUN), os.O_RDWR | os.O_CREAT, 0o640)
    verdict = _earlier(order, begun)
    if verdict is None:
        os.write(begun, b"%s\n" % os.environb.get(b"SLURM_JOB_ID", b"?"))
        verdict = record(order.folder, _outcome(order, environment, text, watch))
    os.close(begun)
    sys.stderr.write(verdict.message + "\n")
    return 0 if verdict.is_success else 1


def _earlier(order: Order, begun: int) -> Verdict | None:
    """How an earlier run of the same job ended, if there was one; it is waited for.

    SLURM begins a job anew that it forgot to have begun (slurmctld killed soon after its start),
    and Cromwell submits one anew that it forgot to have submitted. The lock ends with its holder.
    """
    with contextlib.suppress(OSError):  # storage without locks: then it cannot be waited for
        fcntl.flock(begun, fcntl.LOCK_EX)
    if os.fstat(begun).st_size == 0:
        return None
    lost = Verdict(ends.LOST, "lost: its first run came to no end, and a second one was refused")
    return recorded(order.folder) or record(order.folder, lost)


def _outcome(
    order: Order,
    environment: dict[str, str],
    text: list[str],
    watch: Watch,
) -> Verdict:
    site = os.environ.get(RUNTIME_VARIABLE, "")
    if site != order.runtime:
        differ = f"this cluster runs {site!r} images, but CROMWELL_RUNTIME is {order.runtime!r}"
        return Verdict(ends.CANNOT_START, differ)
    cause = watch.cause()
    if cause:
        return cause
    if order.workers == 1:
        return attend(order, environment, 0, watch)
    return _all_workers(order, text, watch)


def _all_workers(order: Order, text: list[str], watch: Watch) -> Verdict:
    """One task for each worker; the job ends when all have ended."""
    script = os.path.abspath(sys.argv[0])
    try:
        step = subprocess.Popen(
            ["srun", *_STEP, "--", sys.executable, script, "worker"],
            stdin=subprocess.PIPE,
            stdout=sys.stderr.fileno(),
            stderr=sys.stderr.fileno(),
        )
    except FAULTS as fault:
        return verdict_of(fault, started=False)
    assert step.stdin  # noqa: S101 - it is a pipe
    with contextlib.suppress(BrokenPipeError), step.stdin as lines:
        lines.write("".join(text).encode())
    # Each worker looks at its own time limit, and for pman's word.
    cause = watch.wait(step, lambda force: step.kill() if force else step.terminate())
    verdicts = [recorded(order.folder, worker_name(one)) for one in range(order.workers)]
    for number, verdict in enumerate(verdicts):
        if verdict is None:
            return cause or Verdict(ends.LOST, f"lost: worker {number + 1} told of no end")
        if not verdict.is_success:
            message = f"worker {number + 1} of {order.workers}: {verdict.message}"
            return verdict._replace(message=message)
    return Verdict(None, "finished", 0)


def work(lines: IO[str]) -> int:
    """``worker``: one task of ``srun``."""
    order, environment = order_of(decoded(lines.readline())), decoded(lines.readline())
    number = int(os.environ["SLURM_PROCID"])
    watch = Watch(order.folder, order.time_limit_s)
    record(order.folder, attend(order, environment, number, watch), worker_name(number))
    return 0
