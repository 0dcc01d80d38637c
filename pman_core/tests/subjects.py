"""The memory backend as a subject of the conformance class."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import attrs

from pman_core.contract.info import JobInfo
from pman_core.contract.job import Job
from pman_core.contract.storage import host_storage
from pman_core.testing import MemoryBackend, MemoryEngine, Subject
from pman_core.testing.faulty_registry import FAULTS

#: Words of an engine for each cause that a faulty registry may have.
WORDS = {
    "no-such-image": "manifest unknown",
    "access-denied": "unauthorized: authentication required",
    "platform": "no matching manifest for linux/amd64 in the manifest list entries",
    "too-many-requests": "toomanyrequests: You have reached your pull rate limit",
    "no-registry-answer": "invalid character '<' looking for beginning of value",
    "registry-error": "received unexpected HTTP status: 502 Bad Gateway",
    "registry-not-reached": 'Get "http://localhost:5000/v2/": EOF',
    "image-damaged": "image config verification failed for digest sha256:11",
}


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

    @contextlib.contextmanager
    def faulty_image(fault: str) -> Iterator[str]:
        image = f"registry/{fault}:1"
        engine.pull_faults[image] = WORDS[FAULTS[fault]]
        yield image

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
        crash_engine=engine.crash,
        start_engine=lambda: switch(True),
        make_foreign=foreign,
        unplaceable=unplaceable,
        lose_run=lose,
        restart_run=lambda info: engine.restart(info.native),
        suspend_run=lambda info: engine.suspend(info.native, suspended=True),
        unsuspend_run=lambda info: engine.suspend(info.native, suspended=False),
        faulty_image=faulty_image,
        limits_swap=lambda info: True,
        other_process=False,
        patience_s=10,
    )
