"""The tools of the tests: a job, and its end."""

from __future__ import annotations

import time

from pman_core import Job, JobInfo, Resources
from pman_process.backend import ProcessBackend


def job(*argv: str) -> Job:
    """A job with a memory limit and no directories."""
    return Job(jid="job-1", image="local", argv=argv, resources=Resources(memory_mib=512))


def end_of(backend: ProcessBackend) -> JobInfo:
    """Wait for the end of that job."""
    deadline = time.monotonic() + 60
    while not (info := backend.pman_status("job-1")).status.is_final:
        assert time.monotonic() < deadline, "the job does not end"
        time.sleep(0.01)
    return info
