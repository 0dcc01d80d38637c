"""The tools of the tests: a backend, a storebase, and the jobs of one test."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from pman_core import Job, JobFilter, JobInfo, Resources
from pman_core.contract.errors import PmanError
from pman_core.contract.storage import host_storage
from pman_process.backend import ProcessBackend

PATIENCE_S = 60


def remove_all(variables: dict[str, str]) -> None:
    """End all jobs of a test, also of those that another INSTANCE made."""
    for instance in ("pman", "conformance-other"):
        backend = ProcessBackend({**variables, "INSTANCE": instance})
        for info in backend.pman_list(JobFilter(), 1000, None).jobs:
            backend.pman_remove(info.jid)


def job_processes(root: Path) -> list[int]:
    """The processes of the jobs of the test with this folder."""
    return processes_with("environ", b"PMAN_TEST=" + os.fsencode(root))


def supervisors(root: Path) -> list[int]:
    """The supervisors of the jobs of the test with this folder."""
    return processes_with("cmdline", os.fsencode(root))


def processes_with(file: str, wanted: bytes) -> list[int]:
    """The processes that have this word, or a path below it, in their environ or cmdline."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = Path("/proc", name, file).read_bytes().split(b"\0")
            if any(word == wanted or word.startswith(wanted + b"/") for word in words):
                found.append(int(name))
    return found


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition; ``what`` it is, for the message."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.005)


@attrs.frozen
class Bench:
    """A backend, a storebase, and the jobs of one test."""

    root: Path
    environ: dict[str, str]

    @property
    def backend(self) -> ProcessBackend:
        """A fresh backend, as another pman process would have it."""
        return ProcessBackend(self.environ)

    @property
    def jobs(self) -> Path:
        """Where the folders of the jobs are."""
        return self.root / "state" / "jobs"

    @property
    def out(self) -> Path:
        """The output directory of all jobs."""
        return self.root / "store" / "out"

    def job(self, *argv: str, **changes: Any) -> Job:
        """A job with a memory limit and existing directories."""
        for name in ("in", "out"):
            (self.root / "store" / name).mkdir(parents=True, exist_ok=True)
        env = {"PMAN_TEST": str(self.root)}
        job = Job(
            jid="job-1",
            image="local",
            argv=argv,
            env=env,
            resources=Resources(memory_mib=512),
            mounts=host_storage(str(self.root / "store")).mounts("in", "out"),
            fingerprint="v1-test",
        )
        changes["env"] = {**env, **changes.pop("env", {})}
        return attrs.evolve(job, **changes)

    def shell(self, script: str, **changes: Any) -> Job:
        """A job that runs a shell script."""
        return self.job("sh", "-c", script, **changes)

    def python(self, program: str, *args: str, **changes: Any) -> Job:
        """A job that runs a Python program."""
        return self.job(sys.executable, "-c", program, *args, **changes)

    def end(self, jid: str = "job-1") -> JobInfo:
        """Wait for the end of a job."""
        until(lambda: self.backend.pman_status(jid).status.is_final, f"the end of {jid}")
        return self.backend.pman_status(jid)

    def run(self, job: Job) -> JobInfo:
        """Submit a job and wait for its end."""
        self.backend.pman_submit(job)
        return self.end(job.jid)

    def log(self, jid: str = "job-1") -> bytes:
        """What the job wrote."""
        backend = self.backend
        return backend.pman_logs(backend.pman_status(jid), 1000, 2**20)

    def exists(self, jid: str = "job-1") -> bool:
        """Whether there is such a job."""
        try:
            return bool(self.backend.pman_status(jid))
        except PmanError:
            return False

    def wait_for(self, name: str) -> None:
        """Wait until the job has written a file into its output directory."""
        until((self.out / name).exists, f"file {name}")

    def processes(self) -> list[int]:
        """All processes of the jobs of this test."""
        return job_processes(self.root)
