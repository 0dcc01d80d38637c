"""What the conformance class must know of the backend under test."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import attrs

from pman_core.contract.info import JobInfo
from pman_core.contract.job import Job
from pman_core.contract.storage import Storage
from pman_core.testing import probe

#: Runs the probe in any image that has Python 3.7 or newer.
PYTHON_PROBE = ("python3", "-c", inspect.getsource(probe))


@attrs.frozen(kw_only=True)
class Subject:
    """One backend and its engine.

    :param factory: what the entry point of the plugin names.
    :param environ: the variables that the factory gets, of the core and of the plugin.
    :param image: an image with Python, whose ENTRYPOINT would spoil any job that kept it.
    :param storage: as the core would resolve it for these variables.
    :param storebase: the same place, as a folder that the tests can read and write.
    :param probe: the words that run the probe in the image, before its command.
    :param memory_mib: the hard memory limit of every test job that needs no other.
    :param missing_image: an image that cannot be had.
    :param patience_s: seconds after which the tests give up waiting for a condition.
    :param stop_engine: stops the engine, or cuts it off; without it the promises about an
        engine that is down are reported as not run.
    :param crash_engine: ends the engine without a warning, as ``kill -9`` or a power failure
        does, so that it forgets what it had only in memory. Jobs may end with it.
    :param start_engine: brings the engine back from either, and returns when it answers.
    :param make_foreign: creates an object with this native name that is no job of pman, and
        yields a function that says whether it still exists.
    :param unplaceable: changes a job into one for which the engine never has room.
    :param lose_run: destroys the run of a job behind pman's back, as a lost node would.
    :param restart_run: starts an ended job again behind pman's back, as an operator's
        ``docker start`` does, and returns when that run has ended too or the engine has refused.
    :param suspend_run: suspends the running processes of a job behind pman's back.
    :param unsuspend_run: lets them go on.
    :param faulty_image: yields the name of an image whose registry has one of the faults of
        :mod:`pman_core.testing.faulty_registry`, whose ``faulty_images`` makes such a function.
    :param limits_swap: asks the engine whether the memory limit of a job includes swap.
    :param other_process: whether a plugin in another process sees the same jobs. Only jobs
        in the memory of this process do not have that.
    """

    factory: Callable[[Mapping[str, str]], object]
    environ: Mapping[str, str] = attrs.field(repr=False)
    image: str
    storage: Storage
    storebase: Path
    probe: tuple[str, ...] = attrs.field(default=PYTHON_PROBE, repr=False)
    memory_mib: int = 256
    missing_image: str = "pman.invalid/no-such-image:1"
    patience_s: float = 60.0
    stop_engine: Callable[[], None] | None = None
    crash_engine: Callable[[], None] | None = None
    start_engine: Callable[[], None] | None = None
    make_foreign: Callable[[str], AbstractContextManager[Callable[[], bool]]] | None = None
    unplaceable: Callable[[Job], Job] | None = None
    lose_run: Callable[[JobInfo], None] | None = None
    restart_run: Callable[[JobInfo], None] | None = None
    suspend_run: Callable[[JobInfo], None] | None = None
    unsuspend_run: Callable[[JobInfo], None] | None = None
    faulty_image: Callable[[str], AbstractContextManager[str]] | None = None
    limits_swap: Callable[[JobInfo], bool] | None = None
    other_process: bool = True
