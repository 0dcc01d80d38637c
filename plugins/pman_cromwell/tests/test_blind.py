"""A pman that cannot see the jobs folder: Cromwell keeps everything, and people read the logs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cromwell_bench import Server, server, subject_of

from pman_core.contract.errors import UnknownJobError
from pman_core.contract.info import JobFilter, Reason, Status
from pman_core.testing.conformance import Workbench
from pman_core.testing.conformance.workbench import end_of
from pman_cromwell.notes import Cancelled


@pytest.fixture
def bench(cromwell: Server, tmp_path: Path) -> Iterator[Workbench]:
    """The tools of a test; what they made is removed afterwards."""
    with subject_of(cromwell, tmp_path, CROMWELL_SEES_JOBS="no") as subject:
        made = Workbench(subject)
        yield made
        made.clean_up()


def test_a_job_is_told_by_another_process(bench: Workbench) -> None:
    job = bench.job(bench.place(), "exit", "0", labels={"a": "b"})
    info = bench.submit(job)
    assert (info.jid, info.argv, info.image) == (job.jid, job.argv, job.image)
    assert dict(info.labels) == {"a": "b"}
    ended = bench.end_of(job.jid, bench.fresh())
    assert (ended.status, ended.exit_code) == (Status.SUCCEEDED, 0)
    assert job.jid in {one.jid for one in bench.fresh().list(JobFilter(), 1000, None).jobs}


def test_a_failed_job_says_where_to_look(bench: Workbench) -> None:
    info = bench.run(bench.place(), "exit", "3")
    assert (info.status, info.reason) == (Status.FAILED, Reason.EXIT_CODE)
    path = info.message.split()[1]
    assert '"code": 3' in Path(path).read_text()


def test_logs_say_which_paths_hold_them(bench: Workbench) -> None:
    info = bench.run(bench.place(), "say", f"1:{b'words'.hex()}")
    first, path = bench.logs(info).decode().splitlines()
    assert "CROMWELL_SEES_JOBS" in first
    assert Path(path).read_text() == "words"


def test_eight_submits_at_once_run_one_job(bench: Workbench) -> None:
    place = bench.place()
    job = bench.job(place, "count", place.job_out)
    backends = [bench.fresh() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        infos = list(pool.map(lambda backend: bench.submit(job, backend), backends))
    assert len({(info.native, info.created) for info in infos}) == 1
    assert bench.end_of(job.jid).status is Status.SUCCEEDED
    assert place.runs() == 1


def test_who_loses_the_race_of_a_submit_tells_of_the_job_that_won(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.job(bench.place(), "exit", "0")
    late: Any = bench.subject.factory(bench.subject.environ)
    mine = late._jobs.create(job)  # in hand before anybody has posted
    won = bench.submit(job)
    find, before = late._jobs.find, iter([None])
    monkeypatch.setattr(late._jobs, "find", lambda jid: next(before, find(jid)))
    monkeypatch.setattr(late._jobs, "create", lambda job: mine)
    told = late.pman_submit(job)
    assert mine.created != won.created
    assert (told.native, told.created) == (won.native, won.created)


def test_a_cancelled_job_has_ended_and_is_told_alike_by_all(bench: Workbench) -> None:
    place = bench.place()
    running = bench.hold(place)
    backends = [bench.fresh() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        infos = list(pool.map(lambda backend: backend.cancel(running.jid), backends))
    infos += [bench.fresh().status(running.jid), bench.cancel(running.jid)]
    assert {end_of(info) for info in infos} == {end_of(infos[0])}
    assert (infos[0].reason, infos[0].message) == (Reason.CANCELLED, "cancelled")
    bench.until("the process to end", place.is_held, lambda held: not held)


def test_a_cancellation_that_was_begun_is_finished_by_who_comes_next(bench: Workbench) -> None:
    place = bench.place()
    running = bench.hold(place)
    late: Any = bench.subject.factory(bench.subject.environ)
    why = Cancelled(Reason.CANCELLED, "cancelled", datetime.now(UTC))
    late._records.cancel(late._jobs.find(running.jid), why)
    late.pman_resume()
    bench.until("the process to end", place.is_held, lambda held: not held)
    info = bench.end_of(running.jid)
    assert (info.reason, info.message) == (Reason.CANCELLED, "cancelled")


@pytest.mark.parametrize("reason", [Reason.CANCELLED, Reason.START_DEADLINE])
def test_a_job_that_waits_in_cromwell_can_be_ended(
    cromwell: Server, tmp_path: Path, reason: Reason
) -> None:
    """The stand-in of this test picks nothing up."""
    with (
        server(tmp_path / "idle", "none", "--times", "fast", "--pick-up", "600") as idle,
        subject_of(idle, tmp_path, CROMWELL_SEES_JOBS="no", START_DEADLINE="1") as subject,
    ):
        bench = Workbench(subject)
        job = bench.job(bench.place(), "exit", "0")
        bench.submit(job)
        info = bench.cancel(job.jid) if reason is Reason.CANCELLED else bench.end_of(job.jid)
        assert (info.status, info.reason, info.started) == (Status.FAILED, reason, None)
        assert end_of(bench.fresh().status(job.jid)) == end_of(info)
        bench.clean_up()


def test_a_removed_job_is_gone_and_its_jid_can_be_used_again(bench: Workbench) -> None:
    place = bench.place()
    info = bench.hold(place)
    assert bench.backend.remove(info.jid)
    bench.until("the process to end", place.is_held, lambda held: not held)
    with pytest.raises(UnknownJobError):
        bench.fresh().status(info.jid)
    again = bench.submit(bench.job(bench.place(), "exit", "0", jid=info.jid))
    assert again.native != info.native
    assert bench.end_of(info.jid).status is Status.SUCCEEDED
