"""``run``: runs the order that it reads, once, on a node, and tells how that ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from typing import IO, TypeVar

from . import outcome as ends
from .errors import FAULTS, verdict_of
from .job_spec import Order, decoded, order_of
from .outcome import Verdict, by_pman, record, recorded
from .run_files import BEGUN, VERDICT, insist, is_gone, worker_name
from .watch import Watch
from .worker import attend

T = TypeVar("T")

#: What the Cromwell configuration says of the node.
RUNTIME_VARIABLE = "PMAN_RUNTIME"

#: How long storage is waited for that is not there when a job begins, and one that takes no end.
_MOUNT_PATIENCE_S, _END_PATIENCE_S = 300.0, 3600.0

_STEP = ("--export=ALL", "--input=all", "--kill-on-bad-exit=0", "--wait=0")


def run(lines: IO[str]) -> int:
    """Run the job that these two lines order; 0 for success.

    Another code would say nothing more, and some codes mean an abort to Cromwell: the verdict is
    in its file.
    """
    text = [lines.readline(), lines.readline()]
    order, environment = order_of(decoded(text[0])), decoded(text[1])
    watch = Watch(order.folder, order.time_limit_s)
    try:
        begun = _insist(order, lambda: _open(order), _MOUNT_PATIENCE_S)
    except OSError as error:
        words = f"pman has removed this job, or its storage cannot be used here: {error}"
        sys.stderr.write(words + "\n")
        return 1
    verdict = _earlier(order, begun)
    if verdict is None:
        mark = b"%s\n" % os.environb.get(b"SLURM_JOB_ID", b"?")
        _insist(order, lambda: os.write(begun, mark), _END_PATIENCE_S)
        verdict = _record(order, _outcome(order, environment, text, watch))
    with contextlib.suppress(OSError):  # NFS may tell only here that it could not keep the mark
        os.close(begun)
    sys.stderr.write(verdict.message + "\n")
    return 0 if verdict.is_success else 1


def _open(order: Order) -> int:
    return os.open(os.path.join(order.folder, BEGUN), os.O_RDWR | os.O_CREAT, 0o640)


def _insist(order: Order, act: Callable[[], T], patience_s: float) -> T:
    """Until pman has removed the job."""
    return insist(act, lambda _: is_gone(order.folder), patience_s)


def _record(order: Order, verdict: Verdict, name: str = VERDICT) -> Verdict:
    """Write an end down, which must not be lost.

    Where that never works, the exit code still tells a success: pman takes Cromwell's word for it.
    """
    try:
        return _insist(order, lambda: record(order.folder, verdict, name), _END_PATIENCE_S)
    except OSError as error:
        sys.stderr.write(f"this end cannot be written down for pman: {error}\n")
        return verdict


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
    found = _insist(order, lambda: recorded(order.folder), _END_PATIENCE_S)
    return found or _record(order, lost)


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
            start_new_session=True,  # SLURM suspends its tasks itself
        )
    except FAULTS as fault:
        return verdict_of(fault, started=False)
    assert step.stdin  # noqa: S101 - it is a pipe
    with contextlib.suppress(BrokenPipeError), step.stdin as lines:
        lines.write("".join(text).encode())
    # Each worker looks at its own time limit, and for pman's word.
    cause = watch.wait(step, lambda force: step.kill() if force else step.terminate())
    names = [worker_name(one) for one in range(order.workers)]
    verdicts = _insist(
        order, lambda: [recorded(order.folder, name) for name in names], _END_PATIENCE_S
    )
    word = by_pman(order.folder)
    if word and any(verdict is None or verdict.reason == word.reason for verdict in verdicts):
        return word  # whatever others had come to before
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
    _record(order, attend(order, environment, number, watch), worker_name(number))
    return 0
