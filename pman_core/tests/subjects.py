"""The memory backend as a subject of the conformance class."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import attrs

from pman_core.info import JobInfo
from pman_core.job import Job
from pman_core.storage import host_storage
from pman_core.testing import MemoryBackend, MemoryEngine, Subject


def memory_subject(engine: MemoryEngine, storebase: Path) -> Subject:
    def switch(up: bool) -> None:
        engine.up = up

    @contextlib.contextmanager
    def foreign(name: str) -> Iterator[Callable[[], bool]]:
        engine.records[name] = None
        yield lambda: name in engine.records
        del engine.records[name]

    def lose(info: JobInfo) -> None:
        engine.lose(info.native)

    def unplaceable(job: Job) -> Job:
        return attrs.evolve(job, resources=attrs.evolve(job.resources, gpus=99))

    return Subject(
        factory=partial(MemoryBackend, engine=engine),
        environ={},
        image="local",
        probe=("probe",),
        storage=host_storage(str(storebase)),
        storebase=storebase,
        stop_engine=lambda: switch(False),
        start_engine=lambda: switch(True),
        make_foreign=foreign,
        unplaceable=unplaceable,
        lose_run=lose,
        limits_swap=lambda info: True,
        other_process=False,
        patience_s=10,
    )
