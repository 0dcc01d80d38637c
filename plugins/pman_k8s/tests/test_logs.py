"""The log of a job that has none says why."""

from pathlib import Path

import pytest
from k8s_objects import (
    job,
    named,
)
from k8s_standin import Answer, said, standin

from pman_core import Reason, Status
from pman_k8s.backend import KubernetesBackend
from pman_k8s.status.state import JobState, info_of


def log_of(folder: Path, told: JobState, answer: Answer) -> bytes:
    info = info_of(named(job(pods="the-job-abcde")), told)
    with standin(
        folder,
        lambda request: answer if "/pods/" in request.path else said(200, named(job())),
    ) as server:
        return KubernetesBackend(server.environ()).pman_logs(info, 10, 1000)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (said(200, "<what it wrote>"), b"<what it wrote>"),
        (said(404, "not found"), b"(the log is gone with its pod the-job-abcde)\n"),
        (said(400, "is waiting to start"), b"(no log: is waiting to start)\n"),
    ],
)
def test_the_log_of_a_lost_job_does_not_say_that_it_did_not_start(
    tmp_path: Path, answer: Answer, words: bytes
) -> None:
    lost = JobState(status=Status.FAILED, message="lost", reason=Reason.LOST)
    assert log_of(tmp_path, lost, answer) == words


def test_of_a_job_that_had_no_process_the_log_says_so(tmp_path: Path) -> None:
    refused = JobState(status=Status.FAILED, message="no such program", reason=Reason.CANNOT_START)
    assert log_of(tmp_path, refused, said(200, "")) == b"(it did not start: no such program)\n"
