"""What another pman, the swarm or somebody else does while pman looks at a job."""

from typing import Any

import pytest
from swarm_jobs import barred, service, task
from swarm_played import AGAIN, EARLY, PlayedSwarm

from pman_core import Reason, Status
from pman_core.kit.outcome import lost
from pman_swarm.labels import end_labels
from pman_swarm.payload import ended
from pman_swarm.status import ended_info, info_of, is_barred


@pytest.mark.parametrize(
    "left",
    [
        [task("running", DesiredState="shutdown"), barred()],
        [task("running", DesiredState="shutdown")],
        [task("shutdown"), barred()],
        [],
    ],
    ids=["running", "replaced by nothing yet", "stopped", "gone"],
)
def test_an_end_that_another_pman_writes_meanwhile_is_reported(left: list[Any]) -> None:
    swarm = PlayedSwarm(task("running"))
    swarm.time = EARLY

    def end() -> None:
        info = info_of(swarm.found, swarm.all)
        verdict = ended_info(info, lost("its node n is down"), EARLY)
        swarm.update(swarm.found, ended(swarm.found["Spec"], end_labels(verdict)))
        swarm.all = left

    swarm.before["tasks"] = end
    assert swarm.reported().message == "lost: its node n is down"


def test_a_job_whose_tasks_are_not_all_made_is_reported_all_the_same() -> None:
    swarm = PlayedSwarm(task("running"), replicas=2)
    swarm.time = EARLY
    assert swarm.reported().status is Status.STARTED


def test_a_job_that_is_placed_while_the_time_is_asked_for_is_not_late() -> None:
    swarm = PlayedSwarm(task("pending", "no suitable node"))
    swarm.before["now"] = lambda: swarm.all.__setitem__(0, task("running"))
    assert swarm.reported().status is Status.STARTED
    assert swarm.found["Version"] == service()["Version"]


def test_a_job_that_waits_too_long_is_ended_and_reported() -> None:
    swarm = PlayedSwarm(task("pending", "no suitable node"))
    assert swarm.reported().reason is Reason.START_DEADLINE
    assert is_barred(swarm.found["Spec"]["TaskTemplate"])


@pytest.mark.parametrize("tasks", [[], [task("running")], [task("complete")]])
def test_a_job_that_somebody_scaled_to_nothing_is_lost_for_good(tasks: list[Any]) -> None:
    swarm = PlayedSwarm(*tasks, replicas=0)
    info = swarm.reported()
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST)
    assert info.message == "lost: somebody scaled its service to nothing"
    swarm.all = []
    assert swarm.reported() == info


def test_a_removal_waits_for_tasks_that_were_made_while_it_began() -> None:
    swarm = PlayedSwarm()
    swarm.before["remove"] = lambda: swarm.all.append(task("running"))
    left = [2]

    def look() -> None:
        left[0] -= 1
        if left[0]:
            swarm.before["tasks"] = look
        else:
            swarm.all.clear()

    found = swarm.service("")
    swarm.before["tasks"] = look
    swarm.remove_job(found)
    assert swarm.all == []


# ------------------------------------------------------------------ ends that are recorded


def begin_again(swarm: PlayedSwarm) -> None:
    """Somebody updates the service, and the swarm makes another task of it."""
    swarm.update(swarm.found, swarm.found["Spec"])
    swarm.all = [*swarm.all, task("running", **AGAIN)]


def test_an_end_is_recorded_once_and_stays() -> None:
    swarm = PlayedSwarm(task("complete"))
    first = swarm.reported()
    version = swarm.found["Version"]
    assert swarm.reported() == first
    assert swarm.found["Version"] == version
    swarm.all = [task("failed", "task: non-zero exit (3)")]
    assert swarm.reported() == first


def test_a_second_run_after_the_end_is_ended_and_the_end_stays() -> None:
    swarm = PlayedSwarm(task("complete"))
    first = swarm.reported()
    begin_again(swarm)
    assert swarm.reported() == first
    assert is_barred(swarm.found["Spec"]["TaskTemplate"])
    version = swarm.found["Version"]
    assert swarm.reported() == first  # while its tasks are stopped
    assert swarm.found["Version"] == version


def test_a_second_run_that_has_ended_too_needs_no_end() -> None:
    swarm = PlayedSwarm(task("complete"))
    first = swarm.reported()
    begin_again(swarm)
    swarm.all[-1] = task("complete", **AGAIN)
    version = swarm.found["Version"]
    assert swarm.reported() == first
    assert swarm.found["Version"] == version


def test_a_container_that_could_not_be_started_is_no_end_of_an_init() -> None:
    words = 'starting container failed: exec: "docker-init": executable file not found in $PATH'
    info = PlayedSwarm(task("failed", words, code=127)).reported()
    assert (info.reason, info.message) == (Reason.CANNOT_START, f"cannot start: {words}")


def test_an_end_that_nobody_saw_before_the_second_run_is_lost() -> None:
    """It is not known which of the two made what is there."""
    swarm = PlayedSwarm(task("complete"))
    swarm.before["tasks"] = lambda: begin_again(swarm)
    assert swarm.reported().reason is Reason.LOST


def test_an_end_is_not_reported_where_somebody_changes_the_service_meanwhile() -> None:
    """The note names the version of the service that was seen, and is refused."""
    swarm = PlayedSwarm(task("failed", "task: non-zero exit (137)", NodeID="n2"))
    swarm.before["node"] = lambda: begin_again(swarm)
    assert swarm.reported().reason is Reason.LOST


def test_what_a_list_saw_before_another_pman_recorded_the_end_is_no_second_run() -> None:
    """A list asks for the tasks first: they may be older than the service."""
    swarm = PlayedSwarm(task("running"))
    old = swarm.tasks("")
    swarm.all = [task("complete")]
    first = swarm.reported()
    info = swarm.reconciler().look((swarm.service(""), old), lambda: EARLY)
    assert info == first
    assert not is_barred(swarm.found["Spec"]["TaskTemplate"])


# ------------------------------------------------------------------ what nodes know


@pytest.mark.parametrize(
    ("nodes", "out_of_memory", "message"),
    [
        (["n1"], True, "out of memory: it wanted more than its memory limit (exit code 137)"),
        (["n1"], False, "killed by signal 9 (SIGKILL, exit code 137)"),
        (["n2"], False, "killed by signal 9 (SIGKILL, exit code 137), probably out of memory"),
        (["n1", "n1"], False, "worker 1 of 2: killed by signal 9 (SIGKILL, exit code 137)"),
        (
            ["n1", "n2"],
            False,
            "worker 1 of 2: killed by signal 9 (SIGKILL, exit code 137), probably out of memory",
        ),
    ],
)
def test_memory_is_not_mentioned_where_every_killed_worker_could_be_asked(
    nodes: list[str], out_of_memory: bool, message: str
) -> None:
    swarm = PlayedSwarm(
        *(
            task("failed", "task: non-zero exit (137)", slot=slot, code=137, NodeID=node)
            for slot, node in enumerate(nodes, 1)
        ),
        replicas=len(nodes),
    )
    swarm.out_of_memory = out_of_memory
    assert swarm.reported().message == message
