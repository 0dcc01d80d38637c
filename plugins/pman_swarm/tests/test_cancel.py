"""What the conformance class cannot see of a cancellation: rooms, nodes, time, other hands."""

from typing import Any

import pytest
from engine_kit import runs, until
from engine_standin import job as plain_job
from swarm_jobs import barred, task
from swarm_kit import FIRST, FOR_EVER, SECOND, SwarmKit
from swarm_played import AGAIN, EARLY, PlayedSwarm
from swarm_standin import play_swarm
from swarm_subjects import RealSwarm, force_update

from pman_core import Reason, Status
from pman_core.contract.errors import EngineUnavailableError

RUNS = f"echo run | tee -a /share/outgoing/runs; {FOR_EVER}"


# ------------------------------------------------------------------ on a real swarm


@pytest.mark.parametrize("label", [FIRST, SECOND], ids=["first", "second"])
def test_when_a_cancellation_answers_nothing_runs_and_the_log_is_there(
    harness: SwarmKit, two_nodes: RealSwarm, label: str
) -> None:
    """On every node, and also if the job ignores signals."""
    place = harness.place()
    job = harness.shell(RUNS, place)
    pman = harness.pman(NODE_SELECTOR=label)
    pman.pman_submit(job)
    until(lambda: runs(place), bool)
    info = pman.pman_cancel(job.jid)
    assert harness.containers(ended=False) == []
    harness.run(harness.shell("true"), pman)  # the swarm has had time to remove something
    assert (info.reason, harness.log(info)) == (Reason.CANCELLED, b"run\n")


def test_workers_that_had_ended_keep_their_logs_too(harness: SwarmKit) -> None:
    place = harness.place()
    script = f"echo one; mkdir /share/outgoing/first 2>/dev/null && exit 0; {FOR_EVER}"
    job = harness.sized(harness.shell(script, place), workers=4)
    pman = harness.pman()
    pman.pman_submit(job)
    until(lambda: pman.pman_status(job.jid), lambda info: info.message.startswith("3 of 4"))
    until(lambda: pman.pman_status(job.jid), lambda info: info.message.endswith("1 ended"))
    info = pman.pman_cancel(job.jid)
    assert harness.containers(ended=False) == []
    assert (info.message, harness.log(info).count(b"one\n")) == ("cancelled", 4)


def test_a_cancelled_job_does_not_start_when_there_is_room_for_it(harness: SwarmKit) -> None:
    pman = harness.pman(NODE_SELECTOR=FIRST)  # which has two GPUs
    held = harness.sized(harness.shell(FOR_EVER), gpus=2)
    pman.pman_submit(held)
    until(lambda: pman.pman_status(held.jid), lambda info: info.status is Status.STARTED)
    place = harness.place()
    waits, next_one = (harness.sized(harness.count(place), gpus=2) for _ in range(2))
    pman.pman_submit(waits)
    until(lambda: pman.pman_status(waits.jid), lambda info: "insufficient" in info.message)
    info = pman.pman_cancel(waits.jid)
    assert (info.reason, info.started) == (Reason.CANCELLED, None)
    pman.pman_cancel(held.jid)
    assert harness.run(next_one, pman).status is Status.SUCCEEDED
    assert runs(place) == 1
    assert pman.pman_status(waits.jid) == info


def test_what_somebody_does_with_the_service_of_a_cancelled_job_runs_nothing(
    harness: SwarmKit,
) -> None:
    place = harness.place()
    job = harness.shell(RUNS, place)
    pman = harness.pman()
    pman.pman_submit(job)
    until(lambda: runs(place), bool)
    info = pman.pman_cancel(job.jid)
    force_update(harness.swarm.manager, info.native)
    until(lambda: harness.tasks(job.jid), lambda tasks: len(tasks) == 3)
    harness.update(job.jid, Mode={"Replicated": {"Replicas": 2}})
    until(lambda: harness.tasks(job.jid), lambda tasks: len(tasks) == 4)
    harness.run(harness.shell("true"))  # the swarm has had time to begin something
    assert pman.pman_cancel(job.jid) == pman.pman_status(job.jid) == info
    assert runs(place) == 1
    assert b"run\n" in harness.log(info)


# ------------------------------------------------------------------ on a played one


def test_a_cancellation_that_no_node_confirms_in_time_is_repeated() -> None:
    """It is recorded before: no other end is reported meanwhile."""
    with play_swarm(ENGINE_TIMEOUT="1") as made:
        made.pman.pman_submit(plain_job())
        with pytest.raises(EngineUnavailableError, match="cancel it again"):
            made.pman.pman_cancel("aa")
        told = made.pman.pman_status("aa")
        assert (told.reason, told.message) == (Reason.CANCELLED, "cancelled")
        made.swarm.tasks[0]["Status"]["State"] = "shutdown"
        made.swarm.tasks.append(barred() | {"ServiceID": told.native})
        assert made.pman.pman_cancel("aa") == told


def test_a_cancellation_that_cannot_be_recorded_ends_nothing() -> None:
    with play_swarm() as made:
        made.pman.pman_submit(plain_job())
        made.swarm.fail("/update", "rpc error: code = Unknown desc = no leader", times=-1)
        with pytest.raises(EngineUnavailableError, match="no leader"):
            made.pman.pman_cancel("aa")
        made.swarm.mend()
        assert made.pman.pman_status("aa").status is Status.STARTED


def played(*tasks: Any, replicas: int = 1) -> PlayedSwarm:
    """A swarm whose tasks are as it would have them after an update of the job's service."""
    swarm = PlayedSwarm(*tasks, replicas=replicas)
    swarm.time = EARLY
    return swarm


def test_nobody_waits_for_a_node_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    swarm = played(task("running"))
    monkeypatch.setattr(swarm, "down", lambda _: "n1")
    swarm.after_update = lambda: swarm.all.append(barred())
    info = swarm.cancel()
    assert info
    assert info.reason is Reason.CANCELLED


def test_a_job_whose_tasks_are_still_being_made_is_waited_for() -> None:
    """The swarm makes them, and then ends them."""
    swarm = played()
    steps = [[], [], [task("pending")], [task("running")], [task("shutdown"), barred()]]

    def go_on() -> None:
        swarm.all = steps.pop(0)
        if steps:
            swarm.before["tasks"] = go_on

    swarm.after_update = lambda: swarm.before.__setitem__("tasks", go_on)
    info = swarm.cancel()
    assert info
    assert (info.reason, steps) == (Reason.CANCELLED, [])


def test_a_job_that_ended_before_it_is_cancelled_has_its_own_end() -> None:
    """Also if nobody has looked since."""
    info = played(task("failed", "task: non-zero exit (3)", code=3)).cancel()
    assert info
    assert (info.reason, info.exit_code) == (Reason.EXIT_CODE, 3)


def test_a_job_that_ends_while_its_cancellation_is_recorded_has_its_own_end() -> None:
    swarm = played(task("running"))
    swarm.before["now"] = lambda: swarm.all.__setitem__(0, task("complete"))
    info = swarm.cancel()
    assert info
    assert info.status is Status.SUCCEEDED
    assert swarm.reported() == info


def test_a_lost_job_is_not_cancelled() -> None:
    """What ended it came first."""
    swarm = played(task("complete"), task("running", **AGAIN))
    swarm.after_update = lambda: swarm.all.__setitem__(1, barred())
    info = swarm.cancel()
    assert info
    assert info.reason is Reason.LOST


def test_a_job_that_has_waited_too_long_can_still_be_cancelled() -> None:
    """Whoever cancels it looks first, and nobody has ended it yet."""
    swarm = PlayedSwarm(task("pending", DesiredState="shutdown"))
    del swarm.all[0]["NodeID"]
    swarm.after_update = lambda: swarm.all.append(barred())
    info = swarm.cancel()
    assert info
    assert info.reason is Reason.CANCELLED


@pytest.mark.parametrize("looks", range(5))
def test_a_job_that_is_removed_while_it_is_cancelled_is_unknown(looks: int) -> None:
    """After so many looks at its service or its tasks."""
    swarm = played(task("running"))
    left = [looks]

    def look() -> None:
        left[0] -= 1
        if left[0] < 0:
            swarm.vanish()
        else:
            swarm.before |= {"service": look, "tasks": look}

    swarm.after_update = look
    assert swarm.cancel() is None
