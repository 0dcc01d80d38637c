"""One worker: its container from the image to the verdict."""

from __future__ import annotations

import os
import time

from . import runtimes
from .files import STARTED, log_name, write_once
from .order import Order
from .runtime import Ended
from .verdict import CannotStart, Verdict
from .watch import Watch


def attend(order: Order, environment: dict[str, str], worker: int, watch: Watch) -> Verdict:
    """Run the container; returns when it has ended, however that came."""
    runtime = runtimes.make(order, environment, worker, watch)
    try:
        runtime.check_directories()
        runtime.prepare()
        cause = watch.cause()
        if cause:
            return cause
        log = os.open(
            os.path.join(order.folder, log_name(worker)),
            os.O_WRONLY | os.O_CREAT | os.O_APPEND,
            0o640,
        )
        process = runtime.start(log)
        os.close(log)
        watch.start_clock()
        write_once(order.folder, STARTED, {"time": time.time()})
        return watch.wait(process, runtime.stop) or runtime.verdict(process.returncode)
    except (CannotStart, Ended) as end:
        return end.verdict
    finally:
        runtime.clean()
