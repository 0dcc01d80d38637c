"""The tools of the tests: a store, a storebase, and the jobs of one test."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from pman_core import Job, JobInfo, Resources
from pman_core.contract.errors import PmanError
from pman_core.contract.storage import host_storage
from pman_core.kit.settings import EngineSettings, load
from pman_kit.jobs import SupervisedJobs
from pman_kit.spawn import spawn
from pman_kit.store import JobStore
from pman_kit.testing import processes_with

PATIENCE_S = 60


def job_processes(root: Path) -> list[int]:
    """The processes of the jobs of the test with this folder."""
    return processes_with("environ", b"PMAN_TEST=" + os.fsencode(root))


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition; ``what`` it is, for the message."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.005)


@attrs.frozen
class Harness:
    """A store, a storebase, and the jobs of one test; their supervisors are spawned."""

    root: Path
    settings: Mapping[str, str] = attrs.field(factory=dict)
    environment: Mapping[str, str] = attrs.field(factory=dict)
    log_max_mib: int = 1024

    @property
    def store(self) -> JobStore:
        """The store of the test."""
        return JobStore(self.root / "state", "STATE_DIR")

    @property
    def jobs(self) -> SupervisedJobs:
        """The jobs as another pman process would have them."""
        settings, store = load(EngineSettings, self.settings), self.store
        store.prepare()
        return SupervisedJobs(
            store=store,
            settings=settings,
            launch=partial(spawn, timeout_s=settings.engine_timeout_s),
            environment={"PATH": f"{Path(sys.executable).parent}:{os.defpath}", **self.environment},
            log_max_mib=self.log_max_mib,
        )

    @property
    def folders(self) -> Path:
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
        until(lambda: self.jobs.status(jid).status.is_final, f"the end of {jid}")
        return self.jobs.status(jid)

    def run(self, job: Job) -> JobInfo:
        """Submit a job and wait for its end."""
        self.jobs.submit(job)
        return self.end(job.jid)

    def log(self, jid: str = "job-1") -> bytes:
        """What the job wrote."""
        jobs = self.jobs
        return jobs.logs(jobs.status(jid), 1000, 2**20)

    def exists(self, jid: str = "job-1") -> bool:
        """Whether there is such a job."""
        try:
            return bool(self.jobs.status(jid))
        except PmanError:
            return False

    def wait_for(self, name: str) -> None:
        """Wait until the job has written a file into its output directory."""
        until((self.out / name).exists, f"file {name}")

    def processes(self) -> list[int]:
        """All processes of the jobs of this test."""
        return job_processes(self.root)

    def runs(self) -> int:
        """How often jobs have written a line into the file ``runs``."""
        runs = self.out / "runs"
        return len(runs.read_text().splitlines()) if runs.exists() else 0
