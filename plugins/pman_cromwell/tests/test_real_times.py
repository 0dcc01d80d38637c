"""With Cromwell's own times: 404 until the summary, one workflow per look, slow polls."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cromwell_kit import Server, server, slurm, slurm_job, subject_of, why_missing

from pman_core.contract.errors import UnknownJobError
from pman_core.contract.info import JobFilter, Reason, Status
from pman_core.kit.names import native_name
from pman_core.testing.conformance import Harness
from pman_core.testing.pytest_plugin import Engines

#: What the shipped configuration makes faster, at Cromwell's defaults; and Cromwell asks for a job
#: so late that no test comes to see it.
_REAL = ("--times", "real", "--pick-up", "20", "--launch-count", "1", "--exit-code-timeout", "600")


@pytest.fixture(scope="module")
def slow(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A stand-in as slow as Cromwell."""
    for name in ("slurm", "cromwell"):
        engines.need(name, why_missing())
    with server(tmp_path_factory.mktemp("slow"), "none", *_REAL) as made:
        yield made


@pytest.fixture
def harness(slow: Server, tmp_path: Path) -> Iterator[Harness]:
    """The tools of a test; what they made is removed afterwards."""
    with subject_of(slow, tmp_path) as subject:
        made = Harness(subject)
        yield made
        made.clean_up()


def test_a_job_is_seen_at_once_and_its_end_before_cromwell_looks(harness: Harness) -> None:
    place = harness.place()
    job = harness.job(place, "count", place.job_out, "3")
    first = harness.submit(job)
    assert (first.status, first.reason) == (Status.NOT_STARTED, Reason.QUEUED)
    assert harness.fresh().status(job.jid).fingerprint == job.fingerprint
    assert [one.jid for one in harness.fresh().list(JobFilter(), 10, None).jobs] == [job.jid]
    again = harness.submit(job, harness.fresh())
    assert again.native == first.native
    assert harness.end_of(job.jid).exit_code == 3
    assert place.runs() == 1


def test_a_job_is_ended_before_and_while_it_runs(slow: Server, harness: Harness) -> None:
    early = harness.submit(harness.job(harness.place(), "exit", "0"))
    assert harness.backend.remove(early.jid)
    with pytest.raises(UnknownJobError):
        harness.fresh().status(early.jid)
    place = harness.place()
    running = harness.hold(place)
    slurm("scancel", slurm_job(native_name(running.jid)))
    # What runs there writes it, once nothing runs any more: Cromwell has not asked for the job.
    assert "cancelled in SLURM" in harness.end_of(running.jid).message
    assert not list(slow.folder.glob(f"executions/pman/{running.native}/*/*/script.check"))
    assert not place.is_held()
    assert harness.backend.remove(running.jid)
    with pytest.raises(UnknownJobError):
        harness.fresh().status(running.jid)
