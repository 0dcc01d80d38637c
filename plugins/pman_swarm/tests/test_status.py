"""What the engine says of services and tasks, as it said it, becomes what pman reports of jobs."""

import json
import random
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from swarm_jobs import JOB, OVER, WAITING, barred, reported, service, task

from pman_core import Reason, Status
from pman_core.kit.outcome import lost
from pman_core.kit.settings import load
from pman_swarm.labels import end_labels
from pman_swarm.outcome import was_killed
from pman_swarm.payload import ended, recorded, service_payload
from pman_swarm.settings import SwarmSettings
from pman_swarm.status import (
    attempts,
    busy_nodes,
    ended_info,
    info_of,
    is_given_up,
    is_over,
    is_waiting,
    taken_info,
)


@pytest.mark.parametrize("state", [*WAITING, "running", *OVER])
def test_each_state_is_one_of_three(state: str) -> None:
    made = task(state)
    assert is_waiting(made) + is_over(made) + (state == "running") == 1
    assert is_waiting(made) == (state in WAITING)


@pytest.mark.parametrize("state", WAITING)
def test_before_running_is_not_started(state: str) -> None:
    info = reported(task(state))
    assert info.status is Status.NOT_STARTED
    assert info.message
    assert (info.started, info.finished, info.exit_code) == (None, None, None)


def test_what_waits_for_room_says_why_in_the_swarms_words() -> None:
    words = "no suitable node (insufficient resources on 2 nodes)"
    info = reported(task("pending", words))
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED)
    assert words in info.message


def test_what_is_prepared_may_be_pulled() -> None:
    info = reported(task("preparing"))
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.PULLING)
    assert "some/image:1" in info.message


def test_a_job_without_tasks_waits() -> None:
    assert reported().status is Status.NOT_STARTED


def test_a_running_job_is_started() -> None:
    info = reported(task("running"))
    assert (info.status, info.message, info.finished) == (Status.STARTED, "running", None)
    assert info.started == datetime(2026, 11, 21, 1, 2, 1, 123456, UTC)


@pytest.mark.parametrize("desired", ["shutdown", "remove"])
def test_what_the_swarm_stops_is_given_up(desired: str) -> None:
    assert is_given_up(task("running", DesiredState=desired))
    assert not is_given_up(task("running"))
    assert not is_given_up(task("complete"))  # it has ended, and the swarm wants it so


def test_everything_of_the_job_is_reported() -> None:
    info = reported(task("failed", "task: non-zero exit (3)", code=3))
    assert (info.jid, info.image, info.argv) == (JOB.jid, JOB.image, JOB.argv)
    assert (info.fingerprint, info.labels) == (JOB.fingerprint, JOB.labels)
    assert info.native == "5e7f1ce"
    assert info.created == datetime(2026, 11, 21, 1, 2, 0, 250000, UTC)
    assert info.finished == datetime(2026, 11, 21, 1, 2, 1, 123456, UTC)


def test_an_end_is_never_before_the_creation() -> None:
    """The nodes have clocks of their own."""
    early = task("complete")
    early["Status"]["Timestamp"] = "2026-11-21T01:00:00Z"
    assert reported(early).finished == reported(early).created


def test_an_owner_is_reported() -> None:
    owned = attrs.evolve(JOB, owner="Ünï @x/y")
    spec = service_payload("some-job", owned, load(SwarmSettings, {}))
    assert info_of(service(spec=spec), []).owner == "Ünï @x/y"
    assert taken_info(owned, "5e7f1ce").owner == "Ünï @x/y"
    assert reported().owner is None


def test_a_job_that_was_just_taken_waits() -> None:
    info = taken_info(JOB, "5e7f1ce")
    assert (info.status, info.native, info.argv) == (Status.NOT_STARTED, "5e7f1ce", JOB.argv)


def test_a_job_without_arguments_has_its_program() -> None:
    found = service()
    del found["Spec"]["TaskTemplate"]["ContainerSpec"]["Args"]  # the API drops empty lists
    assert info_of(found, []).argv == ("program",)


# ------------------------------------------------------------------ several tasks


def test_tasks_are_sorted_by_worker_and_time() -> None:
    """The API keeps no order; the first task of each worker counts."""
    tasks = [task("complete", slot=slot) for slot in range(1, 12)]
    late = [task("running", slot=4, ID="late", CreatedAt="2026-11-21T01:02:01Z")]
    mixed = [*late, *tasks]
    for _ in range(20):
        random.shuffle(mixed)
        assert [found["ID"] for found in attempts(mixed)] == [f"t{n}" for n in range(1, 12)]


def test_success_is_success_of_all_workers() -> None:
    assert reported(*(task("complete", slot=n) for n in (3, 1, 2))).status is Status.SUCCEEDED


def test_a_failed_worker_is_named_when_all_have_ended() -> None:
    failed = task("failed", "task: non-zero exit (4)", slot=2, code=4)
    running = reported(task("complete", slot=1), failed, task("running", slot=3))
    assert (running.status, running.exit_code) == (Status.STARTED, None)
    assert running.message == "1 of 3 workers running, 2 ended"
    info = reported(task("complete", slot=3), failed, task("complete", slot=1))
    assert (info.status, info.exit_code) == (Status.FAILED, 4)
    assert info.message == "worker 2 of 3: exited with code 4"
    assert info.finished == datetime(2026, 11, 21, 1, 2, 3, 123456, UTC)


def test_a_job_goes_on_until_all_its_workers_were_seen() -> None:
    """Right after the creation, only some of the tasks are there."""
    assert reported(task("complete"), workers=2).status is Status.STARTED
    assert reported(task("pending"), workers=2).status is Status.NOT_STARTED


def test_a_job_with_one_worker_waiting_is_started() -> None:
    info = reported(task("running", slot=1), task("pending", "no suitable node", slot=2))
    assert (info.status, info.message) == (Status.STARTED, "1 of 2 workers running, 0 ended")


def test_the_worker_furthest_behind_tells_what_a_job_waits_for() -> None:
    info = reported(task("preparing", slot=1), task("pending", "no suitable node", slot=2))
    assert info.reason is Reason.QUEUED
    assert "no suitable node" in info.message


# ------------------------------------------------------------------ what nodes know


@pytest.mark.parametrize(
    ("known", "reason", "message"),
    [
        (
            True,
            Reason.OUT_OF_MEMORY,
            "out of memory: it wanted more than its memory limit (exit code 137)",
        ),
        (False, Reason.KILLED, "killed by signal 9 (SIGKILL, exit code 137)"),
        (
            None,
            Reason.KILLED,
            "killed by signal 9 (SIGKILL, exit code 137), probably out of memory",
        ),
    ],
)
def test_memory_is_reported_as_far_as_a_node_knows(
    known: bool | None, reason: Reason, message: str
) -> None:
    killed = task("failed", "task: non-zero exit (137)", code=137)
    info = info_of(service(), [killed], known)
    assert (info.status, info.reason, info.exit_code) == (Status.FAILED, reason, 137)
    assert info.message == message


def test_what_nodes_know_explains_no_other_end() -> None:
    other = task("failed", "task: non-zero exit (3)", code=3)
    assert info_of(service(), [other], out_of_memory=True).reason is Reason.EXIT_CODE


def test_only_137_is_a_question_of_memory() -> None:
    assert was_killed(task("failed", "task: non-zero exit (137)", code=137))
    others = [task("failed", "task: non-zero exit (3)"), *map(task, [*WAITING, "running", *OVER])]
    assert not any(map(was_killed, others))


# ------------------------------------------------------------------ what pman recorded

ENDED = [task("complete")], [task("failed", "task: non-zero exit (3)", code=3)]


@pytest.mark.parametrize("tasks", ENDED, ids=["succeeded", "failed"])
@pytest.mark.parametrize("later", [[], [task("running")], [task("complete")], [task("pending")]])
def test_a_recorded_end_is_reported_whatever_the_tasks_are(
    tasks: list[Any], later: list[Any]
) -> None:
    found = service()
    first = info_of(found, tasks)
    recorded_one = service(spec=recorded(found["Spec"], end_labels(first)))
    assert first.status.is_final
    assert info_of({**recorded_one, "UpdatedAt": "2026-11-22T01:02:59Z"}, later) == first


@pytest.mark.parametrize("tasks", [[], [task("running")], [task("complete")], [task("pending")]])
def test_an_end_by_pman_is_final_whatever_the_tasks_are(tasks: list[Any]) -> None:
    """While the swarm removes the tasks of a job that pman ended, they are still there."""
    found = service()
    now = datetime(2026, 11, 21, 1, 2, 59, 500000, UTC)
    verdict = ended_info(info_of(found, tasks), lost("because"), now)
    info = info_of(service(spec=ended(found["Spec"], end_labels(verdict))), tasks)
    assert (info.status, info.reason, info.message) == (Status.FAILED, Reason.LOST, "lost: because")
    assert info.finished == now
    assert info.labels == JOB.labels


@pytest.mark.parametrize("state", ["pending", "rejected", "failed"])
def test_words_of_a_node_tell_no_value_of_the_environment(state: str) -> None:
    made = service()
    env = ["PIN=1", 'TOKEN={{"{{"}}a "b"}}']
    made["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] = env
    quoted = json.dumps({"Env": ["PIN=1", 'TOKEN={{a "b"}}', *env]})
    info = info_of(made, [task(state, f"cannot use {quoted}", code=None)])
    assert "cannot use" in info.message
    assert 'PIN=***", "TOKEN=***", "PIN=***", "TOKEN=***"' in info.message


# ------------------------------------------------------------------ where something may run on


def barred_service(workers: int = 1) -> Any:
    return service(workers, spec=ended(service(workers)["Spec"], {}))


def unassigned(state: str, desired: str) -> Any:
    made = task(state, DesiredState=desired)
    del made["NodeID"]
    return made


@pytest.mark.parametrize("state", ["assigned", "preparing", "starting", "running"])
@pytest.mark.parametrize("desired", ["running", "shutdown"])
def test_a_task_runs_on_until_its_node_tells_that_it_ended(state: str, desired: str) -> None:
    tasks = [task(state, DesiredState=desired), barred()]
    assert busy_nodes(barred_service(), tasks) == {"n1"}


@pytest.mark.parametrize("state", OVER)
def test_nothing_of_what_is_over_runs_on(state: str) -> None:
    assert busy_nodes(barred_service(), [task(state), barred()]) == set()


def test_what_was_given_up_before_it_had_a_node_never_runs() -> None:
    given_up = unassigned("pending", "shutdown")
    assert busy_nodes(barred_service(), [given_up, barred()]) == set()
    assert busy_nodes(barred_service(), [unassigned("pending", "running"), barred()]) == {None}


def test_the_swarm_has_not_begun_to_end_a_job_before_each_worker_has_been_replaced() -> None:
    """It may still be making the tasks of a job that has just been submitted."""
    assert busy_nodes(barred_service(), []) == {None}
    one = [task("shutdown"), barred()]
    assert busy_nodes(barred_service(2), one) == {None}
    assert busy_nodes(barred_service(2), [*one, barred(slot=1)]) == {None}
    assert busy_nodes(barred_service(2), [*one, barred(slot=2)]) == set()


def test_nothing_of_a_job_that_ended_by_itself_runs_on() -> None:
    assert busy_nodes(service(), [task("complete")]) == set()
    assert busy_nodes(service(), []) == set()
