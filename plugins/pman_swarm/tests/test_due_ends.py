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


def remove_containers(bench: SwarmKit, info: JobInfo) -> None:
    for node, container in bench.swarm.containers(info.native):
        node.remove_container(container["Id"], force=True)


def eaten(bench: SwarmKit, pman: Any) -> JobInfo:
    """A job that was out of memory, whose engine knows; with cgroups v1 it may miss that."""
    for _ in range(3):
        info = bench.run(bench.sized(bench.job("python3", "-c", EATS)), pman)
        containers = [container for _, container in bench.swarm.containers(info.native)]
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
    bench: SwarmKit, two_nodes: RealSwarm, label: str, reason: Reason, words: str
) -> None:
    """And it stays, also when the container is gone, and for any other pman."""
    pman = bench.pman(NODE_SELECTOR=label)
    info = eaten(bench, pman)
    assert (info.status, info.reason, info.exit_code) == (Status.FAILED, reason, 137)
    assert words in info.message
    assert bench.spec(info.jid)["Labels"][LABEL_PREFIX + "reason"] == reason.value
    assert len(bench.tasks(info.jid)) == 1  # the note began no second run
    remove_containers(bench, info)
    assert pman.pman_status(info.jid) == info == bench.pman().pman_status(info.jid)


def test_a_job_that_killed_itself_was_not_out_of_memory(bench: SwarmKit) -> None:
    info = bench.run(bench.shell("exit 137"), bench.pman(NODE_SELECTOR=FIRST))
    assert (info.status, info.reason, info.exit_code) == (Status.FAILED, Reason.KILLED, 137)
    assert info.message == "killed by signal 9 (SIGKILL, exit code 137)"


def test_a_killed_container_that_is_gone_is_reported_as_killed(bench: SwarmKit) -> None:
    """Nobody looked while it was there."""
    pman = bench.pman(NODE_SELECTOR=FIRST)
    job = bench.sized(bench.job("python3", "-c", EATS))
    info = pman.pman_submit(job)
    until(
        lambda: [task["Status"]["State"] for task in bench.tasks(job.jid)],
        lambda states: states == ["failed"],
    )
    remove_containers(bench, info)
    assert pman.pman_status(job.jid).reason is Reason.KILLED


# ------------------------------------------------------------------ START_DEADLINE


def waiting(bench: SwarmKit, pman: Any) -> str:
    """A job that no node takes, whatever deadline that pman has."""
    job = bench.count(bench.place())
    pman.pman_submit(job)
    return job.jid


def test_a_job_that_waits_too_long_is_ended_in_the_engine(bench: SwarmKit) -> None:
    patient = bench.pman(NODE_SELECTOR=NOWHERE)
    jid = waiting(bench, patient)
    until(lambda: patient.pman_status(jid), lambda info: info.reason is Reason.QUEUED)
    info = bench.end_of(bench.pman(START_DEADLINE="1"), jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.START_DEADLINE)
    assert info.message.startswith("not started within 1 s: waiting for room: ")
    spec = bench.spec(jid)
    assert is_barred(spec["TaskTemplate"])
    assert spec["Labels"][LABEL_PREFIX + "message"] == info.message
    assert bench.pman(START_DEADLINE="1000").pman_status(jid) == info
    assert bench.pman().pman_logs(info, 10, 1000) == b""


def test_a_list_ends_what_waits_too_long(bench: SwarmKit) -> None:
    pman = bench.pman(NODE_SELECTOR=NOWHERE, START_DEADLINE="1")
    jid = waiting(bench, pman)
    (info,) = until(lambda: pman.pman_list(JobFilter(status=Status.FAILED), 10, None).jobs, bool)
    assert (info.jid, info.reason) == (jid, Reason.START_DEADLINE)


def test_a_deadline_is_that_of_who_looks(bench: SwarmKit) -> None:
    jid = waiting(bench, bench.pman(NODE_SELECTOR=NOWHERE))
    assert bench.pman(START_DEADLINE="1000").pman_status(jid).status is Status.NOT_STARTED
    hasty = bench.pman(START_DEADLINE="1")
    assert bench.end_of(hasty, jid).reason is Reason.START_DEADLINE


def test_a_job_that_began_is_not_late(bench: SwarmKit) -> None:
    place = bench.place()
    job = bench.shell("while [ ! -e /share/incoming/go ]; do sleep 0.1; done", place)
    pman = bench.pman()
    pman.pman_submit(job)
    info = until(lambda: pman.pman_status(job.jid), lambda info: info.status is Status.STARTED)
    hasty = bench.pman(START_DEADLINE="1")
    assert info.created
    until(lambda: bench.pman()._engine.now(), lambda now: (now - info.created).seconds > 1)
    assert hasty.pman_status(job.jid).status is Status.STARTED
    (place / "in" / "go").touch()
    assert bench.end_of(hasty, job.jid).status is Status.SUCCEEDED


def test_many_pmans_write_one_end(bench: SwarmKit) -> None:
    """The update names the version that was seen: one of them wins, and all agree."""
    pmans = [bench.pman(START_DEADLINE=str(n)) for n in range(1, 9)]
    jid = waiting(bench, bench.pman(NODE_SELECTOR=NOWHERE))
    with ThreadPoolExecutor(8) as pool:
        infos = list(pool.map(lambda pman: bench.end_of(pman, jid), pmans))
    assert len(set(infos)) == 1
    assert bench.pman().pman_status(jid) == infos[0]


def test_an_end_of_what_has_changed_meanwhile_is_not_written(bench: SwarmKit) -> None:
    """The update names the version of the service that pman saw, which says nothing of tasks."""
    place = bench.place()
    job = bench.count(place)
    pman = bench.pman(START_DEADLINE="1")
    pman.pman_submit(job)
    seen = bench.service(job.jid)
    bench.update(job.jid, Labels={**seen["Spec"]["Labels"], "touched": "yes"})
    assert pman._swarm.update(seen, {**seen["Spec"], "Mode": {"Replicated": {"Replicas": 0}}}) is (
        False
    )
    assert bench.end_of(bench.pman(), job.jid).status is Status.SUCCEEDED
    assert runs(place) == 1


# ------------------------------------------------------------------ a second task


def test_a_second_task_of_a_worker_ends_the_job(bench: SwarmKit) -> None:
    """Whoever makes the swarm begin again: what runs is ended, and the job is told as lost."""
    place = bench.place()
    script = "echo run >> /share/outgoing/runs; while true; do sleep 0.1; done"
    job = bench.shell(script, place)
    pman = bench.pman()
    pman.pman_submit(job)
    until(lambda: runs(place), bool)
    template = bench.spec(job.jid)["TaskTemplate"]
    bench.update(job.jid, TaskTemplate={**template, "ForceUpdate": 1})
    until(lambda: bench.tasks(job.jid), lambda tasks: len(tasks) > 1)
    info = bench.end_of(pman, job.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST)
    assert "second run" in info.message
    until(lambda: bench.containers(ended=False), lambda left: not left)
    assert bench.pman().pman_status(job.jid) == info
