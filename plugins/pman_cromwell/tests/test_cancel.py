"""Cancelled jobs: what a killed pman leaves of one, and several workers."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cromwell_kit import slurm
from node_kit import Node
from scripted_server import Script, fail
from spec_samples import spec

from pman_core import JobFilter, JobInfo, Reason, Status
from pman_core.contract.errors import UnknownJobError
from pman_core.kit.names import native_name
from pman_core.testing.conformance import Harness
from pman_cromwell.backend import CromwellBackend
from pman_cromwell.job_store import JobStore
from pman_cromwell.run_files import Cancelled
from pman_cromwell.share.pman_slurm import outcome, reasons
from pman_cromwell.share.pman_slurm import run_files as node_files


def _begin(harness: Harness, jid: str, reason: Reason | None = Reason.CANCELLED) -> Any:
    """What a pman does before it is killed: it writes down why it ends a job, and no more."""
    backend: Any = harness.subject.factory(harness.subject.environ)
    spec = backend._store.find(jid)
    backend._store.cancel(spec, Cancelled(reason, "cancelled", datetime.now(UTC)))
    return backend


def _is_cancelled(info: JobInfo) -> bool:
    return (info.status, info.reason, info.message) == (
        Status.FAILED,
        Reason.CANCELLED,
        "cancelled",
    )


def _in_slurm(jid: str) -> str:
    return slurm("squeue", "-h", "-o", "%A", f"--name={native_name(jid)}").stdout.strip()


def _waiting(harness: Harness) -> str:
    """A job that SLURM has, and does not start."""
    assert harness.subject.unplaceable
    place = harness.place()
    job = harness.subject.unplaceable(harness.job(place, "count", place.job_out))
    harness.submit(job)
    harness.until("SLURM to have it", lambda: _in_slurm(job.jid), bool)
    return job.jid


def test_a_job_whose_cancellation_was_begun_ends_without_any_pman(harness: Harness) -> None:
    place = harness.place()
    info = harness.hold(place)
    _begin(harness, info.jid)
    harness.until("the process to end", place.is_held, lambda held: not held)
    assert _is_cancelled(harness.end_of(info.jid))


@pytest.mark.parametrize("who", ["status", "list", "resume", "cancel"])
def test_a_cancellation_that_was_begun_is_finished_by_the_next_call(
    harness: Harness, who: str
) -> None:
    jid = _waiting(harness)
    backend = _begin(harness, jid)
    if who == "resume":
        backend.pman_resume()
    elif who == "list":
        harness.fresh().list(JobFilter(), 10, None)
    else:
        getattr(harness.fresh(), who)(jid)
    harness.until("SLURM to have it no more", lambda: _in_slurm(jid), lambda left: not left)
    info = harness.status(jid)
    assert _is_cancelled(info)
    assert info.started is None


def test_a_cancelled_job_in_the_queue_leaves_slurm(harness: Harness) -> None:
    jid = _waiting(harness)
    assert _is_cancelled(harness.cancel(jid))
    harness.until("SLURM to have it no more", lambda: _in_slurm(jid), lambda left: not left)


def test_a_job_that_somebody_began_to_remove_is_removed_and_not_cancelled(
    harness: Harness,
) -> None:
    info = harness.hold(harness.place())
    _begin(harness, info.jid, None)
    with pytest.raises(UnknownJobError):
        harness.cancel(info.jid)
    with pytest.raises(UnknownJobError):
        harness.fresh().status(info.jid)


def test_a_job_that_was_cancelled_before_cromwell_had_it_is_not_posted(harness: Harness) -> None:
    """The pman that took it was killed in between; its client repeats the request."""
    place = harness.place()
    job = harness.job(place, "count", place.job_out)
    backend: Any = harness.subject.factory(harness.subject.environ)
    spec = backend._submission.create(job)
    harness._jobs.append((harness.backend, job.jid))
    assert _is_cancelled(harness.cancel(job.jid))
    assert _is_cancelled(harness.submit(job))
    assert not backend._cromwell.abort(spec.workflow), "Cromwell has it"
    assert place.runs() == 0


def test_a_reported_end_stays_where_slurm_begins_the_job_all_the_same(
    script: Script, tmp_path: Path
) -> None:
    made = spec()
    script.otherwise = (404, json.dumps(fail(f"Unrecognized workflow ID: {made.workflow}")))
    (tmp_path / ".pman").mkdir()
    backend = CromwellBackend({"CROMWELL_URL": script.url, "STOREBASE": str(tmp_path)})
    store = JobStore(str(tmp_path / ".pman" / "pman"), "pman")
    store.create(made)
    store.cancel(made, Cancelled(Reason.CANCELLED, "cancelled", datetime.now(UTC)))
    reported = backend.pman_status(made.jid)
    assert _is_cancelled(reported)
    (tmp_path / ".pman" / "pman" / "runs" / made.workflow / node_files.BEGUN).touch()
    assert backend.pman_status(made.jid) == reported


def test_several_workers_are_cancelled_whatever_one_of_them_came_to_before(node: Node) -> None:
    """Here srun does what its workers would do."""
    ended = {"worker.0.json": ("exit-code", 3), "worker.1.json": ("cancelled", None)}
    for name, (reason, code) in ended.items():
        content = {"reason": reason, "message": "words", "code": code, "time": 1}
        (node.root / name).write_text(json.dumps(content))
    node.cancel("cancelled")
    word = node.folder / node_files.CANCELLED
    word.rename(node.root / "word")
    moves = "; ".join(f"/bin/mv {node.root}/{name} {node.folder}" for name in ended)
    node.has("srun", f"/bin/cat >/dev/null; {moves}; /bin/mv {node.root}/word {word}")
    assert node.run("none", workers=2).reason == Reason.CANCELLED


def test_a_cancellation_that_cannot_be_read_ends_nothing_and_is_read_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.cancel("start-deadline")

    def stale(*_: object) -> None:
        raise OSError("stale")

    with monkeypatch.context() as patch:
        patch.setattr(outcome, "read", stale)
        assert outcome.by_pman(str(node.folder)) is None
    word = outcome.by_pman(str(node.folder))
    assert word
    assert word.reason == reasons.START_DEADLINE
    node.cancel(None)
    word = outcome.by_pman(str(node.folder))
    assert word
    assert word.reason == reasons.KILLED
