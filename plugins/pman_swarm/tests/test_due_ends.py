"""What pman finds out or decides about an end is recorded on the service, and stays."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from engine_kit import runs, until
from swarm_kit import FIRST, SECOND, SwarmKit
from swarm_subjects import RealSwarm

from pman_core import JobFilter, JobInfo, Reason, Status
from pman_core.kit.names import LABEL_PREFIX
from pman_swarm.status import is_barred

EATS = "x = []\nwhile True: x.append(bytearray(2**24))"
NOWHERE = "pman.no=such"


def remove_containers(harness: SwarmKit, info: JobInfo) -> None:
    for node, container in harness.swarm.containers(info.native):
        node.remove_container(container["Id"], force=True)


def eaten(harness: SwarmKit, pman: Any) -> JobInfo:
    """A job that was out of memory, whose engine knows; with cgroups v1 it may miss that."""
    for _ in range(3):
        info = harness.run(harness.sized(harness.job("python3", "-c", EATS)), pman)
        containers = [container for _, container in harness.swarm.containers(info.native)]
        if any(container["State"]["OOMKilled"] for container in containers):
            return info
    pytest.fail("no engine knows that its container was out of memory")


# ------------------------------------------------------------------ out of memory


@pytest.mark.parametrize(
    ("label", "reason", "words"),
    [
        (FIRST, Reason.OUT_OF_MEMORY, "out of memory: it wanted more"),
        (
            SECOND,
            Reason.KILLED,
            "killed by signal 9 (SIGKILL, exit code 137), probably out of memory",
        ),
    ],
    ids=["first", "second"],
)
def test_out_of_memory_is_reported_as_far_as_pman_can_see(
    harness: SwarmKit, two_nodes: RealSwarm, label: str, reason: Reason, words: str
) -> None:
    """And it stays, also when the container is gone, and for any other pman."""
    pman = harness.pman(NODE_SELECTOR=label)
    info = eaten(harness, pman)
    assert (info.status, info.reason, info.exit_code) == (Status.FAILED, reason, 137)
    assert words in info.message
    assert harness.spec(info.jid)["Labels"][LABEL_PREFIX + "reason"] == reason.value
    assert len(harness.tasks(info.jid)) == 1  # the note began no second run
    remove_containers(harness, info)
    assert pman.pman_status(info.jid) == info == harness.pman().pman_status(info.jid)


def test_a_job_that_killed_itself_was_not_out_of_memory(harness: SwarmKit) -> None:
    info = harness.run(harness.shell("exit 137"), harness.pman(NODE_SELECTOR=FIRST))
    assert (info.status, info.reason, info.exit_code) == (Status.FAILED, Reason.KILLED, 137)
    assert info.message == "killed by signal 9 (SIGKILL, exit code 137)"


def test_a_killed_container_that_is_gone_is_reported_as_killed(harness: SwarmKit) -> None:
    """Nobody looked while it was there."""
    pman = harness.pman(NODE_SELECTOR=FIRST)
    job = harness.sized(harness.job("python3", "-c", EATS))
    info = pman.pman_submit(job)
    until(
        lambda: [task["Status"]["State"] for task in harness.tasks(job.jid)],
        lambda states: states == ["failed"],
    )
    remove_containers(harness, info)
    assert pman.pman_status(job.jid).reason is Reason.KILLED


# ------------------------------------------------------------------ START_DEADLINE


def waiting(harness: SwarmKit, pman: Any) -> str:
    """A job that no node takes, whatever deadline that pman has."""
    job = harness.count(harness.place())
    pman.pman_submit(job)
    return job.jid


def test_a_job_that_waits_too_long_is_ended_in_the_engine(harness: SwarmKit) -> None:
    patient = harness.pman(NODE_SELECTOR=NOWHERE)
    jid = waiting(harness, patient)
    until(lambda: patient.pman_status(jid), lambda info: info.reason is Reason.QUEUED)
    info = harness.end_of(harness.pman(START_DEADLINE="1"), jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.START_DEADLINE)
    assert info.message.startswith("not started within 1 s: waiting for room: ")
    spec = harness.spec(jid)
    assert is_barred(spec["TaskTemplate"])
    assert spec["Labels"][LABEL_PREFIX + "message"] == info.message
    assert harness.pman(START_DEADLINE="1000").pman_status(jid) == info
    assert harness.pman().pman_logs(info, 10, 1000) == b""


def test_a_list_ends_what_waits_too_long(harness: SwarmKit) -> None:
    pman = harness.pman(NODE_SELECTOR=NOWHERE, START_DEADLINE="1")
    jid = waiting(harness, pman)
    (info,) = until(lambda: pman.pman_list(JobFilter(status=Status.FAILED), 10, None).jobs, bool)
    assert (info.jid, info.reason) == (jid, Reason.START_DEADLINE)


def test_a_deadline_is_that_of_who_looks(harness: SwarmKit) -> None:
    jid = waiting(harness, harness.pman(NODE_SELECTOR=NOWHERE))
    assert harness.pman(START_DEADLINE="1000").pman_status(jid).status is Status.NOT_STARTED
    hasty = harness.pman(START_DEADLINE="1")
    assert harness.end_of(hasty, jid).reason is Reason.START_DEADLINE


def test_a_job_that_began_is_not_late(harness: SwarmKit) -> None:
    place = harness.place()
    job = harness.shell("while [ ! -e /share/incoming/go ]; do sleep 0.1; done", place)
    pman = harness.pman()
    pman.pman_submit(job)
    info = until(lambda: pman.pman_status(job.jid), lambda info: info.status is Status.STARTED)
    hasty = harness.pman(START_DEADLINE="1")
    assert info.created
    until(lambda: harness.pman()._engine.now(), lambda now: (now - info.created).seconds > 1)
    assert hasty.pman_status(job.jid).status is Status.STARTED
    (place / "in" / "go").touch()
    assert harness.end_of(hasty, job.jid).status is Status.SUCCEEDED


def test_many_pmans_write_one_end(harness: SwarmKit) -> None:
    """The update names the version that was seen: one of them wins, and all agree."""
    pmans = [harness.pman(START_DEADLINE=str(n)) for n in range(1, 9)]
    jid = waiting(harness, harness.pman(NODE_SELECTOR=NOWHERE))
    with ThreadPoolExecutor(8) as pool:
        infos = list(pool.map(lambda pman: harness.end_of(pman, jid), pmans))
    assert len(set(infos)) == 1
    assert harness.pman().pman_status(jid) == infos[0]


def test_an_end_of_what_has_changed_meanwhile_is_not_written(harness: SwarmKit) -> None:
    """The update names the version of the service that pman saw, which says nothing of tasks."""
    place = harness.place()
    job = harness.count(place)
    pman = harness.pman(START_DEADLINE="1")
    pman.pman_submit(job)
    seen = harness.service(job.jid)
    harness.update(job.jid, Labels={**seen["Spec"]["Labels"], "touched": "yes"})
    assert pman._swarm.update(seen, {**seen["Spec"], "Mode": {"Replicated": {"Replicas": 0}}}) is (
        False
    )
    assert harness.end_of(harness.pman(), job.jid).status is Status.SUCCEEDED
    assert runs(place) == 1


# ------------------------------------------------------------------ a second task


def test_a_second_task_of_a_worker_ends_the_job(harness: SwarmKit) -> None:
    """Whoever makes the swarm begin again: what runs is ended, and the job is told as lost."""
    place = harness.place()
    script = "echo run >> /share/outgoing/runs; while true; do sleep 0.1; done"
    job = harness.shell(script, place)
    pman = harness.pman()
    pman.pman_submit(job)
    until(lambda: runs(place), bool)
    template = harness.spec(job.jid)["TaskTemplate"]
    harness.update(job.jid, TaskTemplate={**template, "ForceUpdate": 1})
    until(lambda: harness.tasks(job.jid), lambda tasks: len(tasks) > 1)
    info = harness.end_of(pman, job.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST)
    assert "second run" in info.message
    until(lambda: harness.containers(ended=False), lambda left: not left)
    assert harness.pman().pman_status(job.jid) == info
