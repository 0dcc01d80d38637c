"""A fault that passes with time keeps no other job, and no removal."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from engine_kit import until
from engine_standin import job
from swarm_standin import play_swarm

from pman_core import JobFilter, Reason, Status
from pman_core.contract.errors import EngineUnavailableError

NO_LEADER = "rpc error: code = Unknown desc = The swarm does not have a leader"
LATER = "2026-11-21T02:00:00Z"


def test_an_end_that_cannot_be_written_down_hides_no_other_job() -> None:
    with play_swarm(START_DEADLINE="60") as made:
        made.swarm.begins_as = "pending"
        made.pman.pman_submit(job("aa"))
        made.swarm.begins_as = "running"
        made.pman.pman_submit(job("bb"))
        made.swarm.now = LATER
        made.swarm.fail("/update", NO_LEADER, times=-1)
        page = made.pman.pman_list(JobFilter(), 10, None)
        assert [info.status for info in page.jobs] == [Status.NOT_STARTED, Status.STARTED]
        assert "does not have a leader" in page.jobs[0].message
        with pytest.raises(EngineUnavailableError, match="does not have a leader"):
            made.pman.pman_status("aa")
        made.swarm.mend()
        assert made.pman.pman_status("aa").reason is Reason.START_DEADLINE


def test_an_end_is_not_reported_before_it_is_written_down() -> None:
    """It would be told otherwise later: that it was out of memory, say."""
    with play_swarm() as made:
        made.pman.pman_submit(job())
        status = {"State": "failed", "Err": "task: non-zero exit (137)", "Timestamp": LATER}
        made.swarm.tasks[0]["Status"] = status
        made.swarm.fail("/update", NO_LEADER, times=-1)
        (info,) = made.pman.pman_list(JobFilter(), 10, None).jobs
        assert (info.status, info.reason) == (Status.STARTED, None)
        assert (info.exit_code, info.finished) == (None, None)
        made.swarm.mend()
        assert made.pman.pman_status("aa").reason is Reason.KILLED


def test_a_removal_waits_on_where_the_swarm_cannot_tell_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pman_swarm.removal._END_WITHIN_S", 60.0)
    with play_swarm() as made, ThreadPoolExecutor(1) as pool:
        made.pman.pman_submit(job())
        made.swarm.fail("/tasks", NO_LEADER, times=3)
        removal: Any = pool.submit(made.pman.pman_remove, "aa")
        until(lambda: removal.done() or made.swarm.count("GET /tasks") > 4, bool)
        assert not removal.done()  # its container runs on
        made.swarm.end_tasks()
        assert removal.result() is True
