"""One worker: its container from the image to the outcome."""

from __future__ import annotations

import os
import sys

from . import runtimes
from .errors import NODE_ERRORS, described, outcome_of
from .job_spec import JobSpec
from .outcome import CannotStartError, Outcome
from .run_files import open_log
from .runtime import EndedError, Runtime
from .watch import Watch


def run_worker(spec: JobSpec, environment: dict[str, str], worker: int, watch: Watch) -> Outcome:
    """Run the container; returns when it has ended, however that came."""
    runtime = runtimes.make(spec, environment, worker, watch)
    started = False
    try:
        runtime.check_directories()
        runtime.check_workdir()
        runtime.prepare()
        cause = watch.cause()
        if cause:
            return cause
        log = open_log(spec.folder, worker, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        process = runtime.start(log)
        started = True
        os.close(log)
        watch.start_clock()
        return watch.wait(process, runtime.stop, runtime.pause) or runtime.outcome(
            process.returncode
        )
    except (CannotStartError, EndedError) as end:
        return end.outcome
    except NODE_ERRORS as error:
        return outcome_of(error, started=started)
    finally:
        _clean(runtime)


def _clean(runtime: Runtime) -> None:
    """What cannot be cleaned up changes nothing of how the job ended."""
    try:
        runtime.clean()
    except NODE_ERRORS as error:
        sys.stderr.write(f"what is left of the job cannot be removed: {described(error)}\n")
