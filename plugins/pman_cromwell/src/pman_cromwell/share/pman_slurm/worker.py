"""One worker: its container from the image to the verdict."""

from __future__ import annotations

import os
import sys

from . import runtimes
from .errors import FAULTS, verdict_of, words_of
from .job_spec import Order
from .outcome import CannotStart, Verdict
from .run_files import open_log
from .runtime import Ended, Runtime
from .watch import Watch


def attend(order: Order, environment: dict[str, str], worker: int, watch: Watch) -> Verdict:
    """Run the container; returns when it has ended, however that came."""
    runtime = runtimes.make(order, environment, worker, watch)
    started = False
    try:
        runtime.check_directories()
        runtime.check_workdir()
        runtime.prepare()
        cause = watch.cause()
        if cause:
            return cause
        log = open_log(order.folder, worker, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        process = runtime.start(log)
        started = True
        os.close(log)
        watch.start_clock()
        return watch.wait(process, runtime.stop, runtime.pause) or runtime.verdict(
            process.returncode
        )
    except (CannotStart, Ended) as end:
        return end.verdict
    except FAULTS as fault:
        return verdict_of(fault, started=started)
    finally:
        _clean(runtime)


def _clean(runtime: Runtime) -> None:
    """What cannot be cleaned up changes nothing of how the job ended."""
    try:
        runtime.clean()
    except FAULTS as fault:
        sys.stderr.write(f"what is left of the job cannot be removed: {words_of(fault)}\n")
