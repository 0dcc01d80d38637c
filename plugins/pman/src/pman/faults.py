"""Tells gunicorn's operator what is wrong with the settings, and stops gunicorn."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from typing import NoReturn

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from pman_core.contract.errors import ConfigurationError

#: Seconds within which the first worker has reported it, and gunicorn has ended the others.
_PATIENCE_S = 10


def tell_and_stop(error: ConfigurationError) -> NoReturn:
    """Tell it, and exit with the code at which gunicorn starts no other worker and stops.

    All workers come here, and the first one does it for all: where two exit with that code,
    gunicorn prints tracebacks. The others wait for gunicorn's signal.
    """
    worker = _this_worker()
    if worker and worker.age > 1:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if not worker.alive:  # the signal came already
            raise SystemExit
        time.sleep(_PATIENCE_S)  # in vain where gunicorn only reloads: then there is no first one
    sys.stderr.write(f"Error: pman cannot start as it is configured:\n{error}\n")
    raise SystemExit(Arbiter.APP_LOAD_ERROR) from error


def _this_worker() -> Worker | None:
    """gunicorn's object for this process, if it is a worker; nothing leads there but this."""
    own = str(os.getpid())
    known = (found for found in gc.get_objects() if isinstance(found, Worker))
    return next((worker for worker in known if str(worker.pid) == own), None)
