"""``run``: runs the job whose spec it reads, once, on a node, and writes its outcome."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from typing import IO, TypeVar

from .errors import NODE_ERRORS, outcome_of
from .job_spec import JobSpec, decoded, spec_of
from .outcome import Outcome, by_pman, cannot_start, exited, lost, record, recorded
from .run_files import BEGUN, OUTCOME, is_gone, retry, worker_name
from .watch import Watch
from .worker import run_worker

T = TypeVar("T")

#: What the Cromwell configuration says of the node.
RUNTIME_VARIABLE = "PMAN_RUNTIME"

#: How long storage is waited for that is not there when a job begins, and one that takes no end.
_MOUNT_PATIENCE_S, _END_PATIENCE_S = 300.0, 3600.0

_STEP = ("--export=ALL", "--input=all", "--kill-on-bad-exit=0", "--wait=0")


def run(lines: IO[str]) -> int:
    """Run the job of these two lines; 0 for success, else 1.

    Other codes would say nothing more, and some mean an abort to Cromwell: the outcome is in its
    file.
    """
    text = [lines.readline(), lines.readline()]
    spec, environment = spec_of(decoded(text[0])), decoded(text[1])
    watch = Watch(spec.folder, spec.time_limit_s)
    try:
        begun = _retry(spec, lambda: _open(spec), _MOUNT_PATIENCE_S)
    except OSError as error:
        words = f"pman has removed this job, or its storage cannot be used here: {error}"
        sys.stderr.write(words + "\n")
        return 1
    outcome = _earlier(spec, begun)
    if outcome is None:
        mark = b"%s\n" % os.environb.get(b"SLURM_JOB_ID", b"?")
        _retry(spec, lambda: os.write(begun, mark), _END_PATIENCE_S)
        outcome = _record(spec, _outcome(spec, environment, text, watch))
    with contextlib.suppress(OSError):  # only here NFS may report that the mark is lost
        os.close(begun)
    sys.stderr.write(outcome.message + "\n")
    return 0 if outcome.is_success else 1


def _open(spec: JobSpec) -> int:
    return os.open(os.path.join(spec.folder, BEGUN), os.O_RDWR | os.O_CREAT, 0o640)


def _retry(spec: JobSpec, act: Callable[[], T], patience_s: float) -> T:
    """Until pman has removed the job."""
    return retry(act, lambda _: is_gone(spec.folder), patience_s)


def _record(spec: JobSpec, outcome: Outcome, name: str = OUTCOME) -> Outcome:
    """Write an end down, which must not be lost.

    Where that never works, the exit code still reports a success to Cromwell, and so to pman.
    """
    try:
        return _retry(spec, lambda: record(spec.folder, outcome, name), _END_PATIENCE_S)
    except OSError as error:
        sys.stderr.write(f"this end cannot be written down for pman: {error}\n")
        return outcome


def _earlier(spec: JobSpec, begun: int) -> Outcome | None:
    """How an earlier run of the same job ended, if there was one; it is waited for.

    SLURM begins a job anew that it forgot to have begun (slurmctld killed soon after its start),
    and Cromwell submits one anew that it forgot to have submitted. The lock ends with its holder.
    """
    with contextlib.suppress(OSError):  # storage without locks: then it cannot be waited for
        fcntl.flock(begun, fcntl.LOCK_EX)
    if os.fstat(begun).st_size == 0:
        return None
    found = _retry(spec, lambda: recorded(spec.folder), _END_PATIENCE_S)
    words = "its first run came to no end, and a second one was refused"
    return found or _record(spec, lost(words))


def _outcome(
    spec: JobSpec,
    environment: dict[str, str],
    text: list[str],
    watch: Watch,
) -> Outcome:
    site = os.environ.get(RUNTIME_VARIABLE, "")
    if site != spec.runtime:
        differ = f"this cluster runs {site!r} images, but CROMWELL_RUNTIME is {spec.runtime!r}"
        return cannot_start(differ)
    cause = watch.cause()
    if cause:
        return cause
    if spec.workers == 1:
        return run_worker(spec, environment, 0, watch)
    return _all_workers(spec, text, watch)


def _all_workers(spec: JobSpec, text: list[str], watch: Watch) -> Outcome:
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
    except NODE_ERRORS as error:
        return outcome_of(error, started=False)
    assert step.stdin  # noqa: S101 - it is a pipe
    with contextlib.suppress(BrokenPipeError), step.stdin as lines:
        lines.write("".join(text).encode())
    # Each worker looks at its own time limit, and for the file ``cancelled``.
    cause = watch.wait(step, lambda force: step.kill() if force else step.terminate())
    names = [worker_name(one) for one in range(spec.workers)]
    outcomes = _retry(
        spec, lambda: [recorded(spec.folder, name) for name in names], _END_PATIENCE_S
    )
    asked = by_pman(spec.folder)
    if asked and any(outcome is None or outcome.reason == asked.reason for outcome in outcomes):
        return asked  # however other workers ended before
    for number, outcome in enumerate(outcomes):
        if outcome is None:
            return cause or lost(f"worker {number + 1} reported no end")
        if not outcome.is_success:
            message = f"worker {number + 1} of {spec.workers}: {outcome.message}"
            return outcome._replace(message=message)
    return exited(0)


def worker_task(lines: IO[str]) -> int:
    """``worker``: one task of ``srun``."""
    spec, environment = spec_of(decoded(lines.readline())), decoded(lines.readline())
    number = int(os.environ["SLURM_PROCID"])
    watch = Watch(spec.folder, spec.time_limit_s)
    _record(spec, run_worker(spec, environment, number, watch), worker_name(number))
    return 0
