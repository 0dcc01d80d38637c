"""What happens to nodes while jobs run on them is told, and no job runs twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_kit import runs, until
from swarm_kit import FIRST, SECOND, SwarmKit
from swarm_power import MANAGER, WORKER, Power, power_over, why_no_power
from swarm_subjects import RealSwarm

from pman_core import Job, JobInfo, Reason, Status
from pman_core.testing.pytest_plugin import Engines
from pman_swarm.status import is_barred

#: Leaves a line each time it runs, and ends when it is told.
HOLDS = """
echo run | tee -a /share/outgoing/runs
while [ ! -e /share/incoming/go ]; do sleep 0.1; done
"""


@pytest.fixture
def power(two_nodes: RealSwarm, engines: Engines) -> Iterator[Power]:
    """Its first part comes before the harness, so the nodes are back when that cleans up."""
    engines.need("swarm", why_no_power(two_nodes))
    with power_over(two_nodes) as found:
        yield found


class Held:
    """A job that runs until the test lets it go."""

    def __init__(self, harness: SwarmKit, label: str, gpus: int = 0) -> None:
        self.place: Path = harness.place()
        self.job: Job = harness.sized(harness.shell(HOLDS, self.place), gpus=gpus)
        self.pman: Any = harness.pman(NODE_SELECTOR=label)
        self.pman.pman_submit(self.job)
        until(lambda: runs(self.place), bool)
        until(self.status, lambda info: info.status is Status.STARTED)

    def status(self) -> JobInfo:
        info: JobInfo = self.pman.pman_status(self.job.jid)
        return info

    def end(self) -> JobInfo:
        return until(self.status, lambda info: info.status.is_final)

    def release(self) -> None:
        (self.place / "in" / "go").touch()


def ended_before(harness: SwarmKit, label: str) -> list[JobInfo]:
    """A job of each end."""
    pman = harness.pman(NODE_SELECTOR=label)
    jobs = [
        harness.shell("echo run >> /share/outgoing/runs"),
        harness.shell("echo run >> /share/outgoing/runs; exit 3"),
        harness.job("/no/such"),
        harness.shell("true", image="localhost:1/no-such:1"),
    ]
    for job in jobs:
        pman.pman_submit(job)
    return [harness.end_of(pman, job.jid) for job in jobs]


def assert_unchanged(harness: SwarmKit, infos: list[JobInfo]) -> None:
    """Each end is as it was, for any pman, and nothing began again."""
    pman = harness.pman()
    assert [pman.pman_status(info.jid) for info in infos] == infos
    for info in infos:
        assert len([task for task in harness.tasks(info.jid) if not is_barred(task["Spec"])]) <= 1
    assert all(len(file.read_text()) == 4 for file in harness.folder.glob("*/out/runs"))


def settle(harness: SwarmKit) -> None:
    """The swarm has had time to begin something again: it has run a job on each node."""
    for label in (FIRST, SECOND):
        assert harness.run(harness.shell("true"), harness.pman(NODE_SELECTOR=label)).exit_code == 0


# ------------------------------------------------------------------ a worker node


def test_a_drained_node_loses_its_jobs(power: Power, harness: SwarmKit) -> None:
    before = ended_before(harness, SECOND)
    held = Held(harness, SECOND)
    power.drain(power.id(WORKER))
    info = held.end()
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST)
    assert "its node was drained" in info.message
    assert harness.log(info) == b"run\n"
    power.repair()
    settle(harness)
    assert_unchanged(harness, [*before, info])


def test_a_node_without_power_loses_its_jobs(power: Power, harness: SwarmKit) -> None:
    """Nobody waits for it: neither for its logs, nor for what is removed there."""
    before = ended_before(harness, SECOND)
    node = power.id(WORKER)
    held, removed, other = Held(harness, SECOND), Held(harness, SECOND), Held(harness, FIRST)
    power.cut(WORKER)
    info = held.end()
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST)
    assert info.message == "lost: its node pman-worker is down"
    assert power.is_down(node)
    words = b"(no log: it is on the node pman-worker, which is down)\n"
    for ended in (before[0], info):
        assert harness.log(ended) == words
    assert removed.pman.pman_remove(removed.job.jid) is True
    assert harness.name(removed.job.jid) not in harness.objects()
    assert other.status().status is Status.STARTED
    power.repair()
    settle(harness)
    other.release()
    ends = [*before, info, other.end()]
    assert ends[-1].status is Status.SUCCEEDED
    assert_unchanged(harness, ends)
    until(lambda: harness.containers(ended=False), lambda left: not left)
    assert (runs(held.place), runs(removed.place)) == (1, 1)


def test_a_node_that_is_back_before_anybody_looked_has_lost_its_jobs(
    power: Power, harness: SwarmKit
) -> None:
    before = ended_before(harness, SECOND)
    held = Held(harness, SECOND)
    power.cut(WORKER)
    power.repair()
    info = held.end()
    assert info.status is Status.FAILED
    assert info.reason in (Reason.LOST, Reason.EXIT_CODE), info
    assert "its engine was restarted" in info.message or "lost" in info.message
    settle(harness)
    assert_unchanged(harness, [*before, info])
    assert runs(held.place) == 1


def test_a_worker_on_a_lost_node_ends_the_whole_job(power: Power, harness: SwarmKit) -> None:
    """Those on other nodes end with it: the job has failed."""
    place = harness.place()
    job = harness.sized(harness.shell(HOLDS, place), workers=4)
    pman = harness.pman()
    pman.pman_submit(job)
    until(lambda: runs(place), lambda begun: begun == 4)
    assert len({task["NodeID"] for task in harness.tasks(job.jid)}) == 2
    power.cut(WORKER)
    info = harness.end_of(pman, job.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST)
    power.repair()
    settle(harness)
    until(lambda: harness.containers(ended=False), lambda left: not left)
    assert pman.pman_status(job.jid) == info
    assert runs(place) == 4


def test_a_node_that_is_removed_loses_its_jobs(power: Power, harness: SwarmKit) -> None:
    before = ended_before(harness, SECOND)
    held = Held(harness, SECOND)
    harness.swarm.manager.remove_node(power.id(WORKER), force=True)
    info = held.end()
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST)
    assert "removed" in info.message
    assert b"run" not in harness.log(info)
    power.repair()
    settle(harness)
    assert_unchanged(harness, [*before, info])


def test_a_node_that_is_changed_loses_its_jobs_with_gpus_and_those_that_it_fits_no_more(
    power: Power, harness: SwarmKit
) -> None:
    plain, card = Held(harness, SECOND), Held(harness, SECOND, gpus=1)
    power.change(power.id(WORKER))
    infos = [card.end()]
    settle(harness)
    assert plain.status().status is Status.STARTED
    power.change(power.id(WORKER), Labels={})
    infos.append(plain.end())
    for info in infos:
        assert (info.status, info.reason) == (Status.FAILED, Reason.LOST)
        assert "its node no longer has the labels or resources" in info.message
    until(lambda: harness.containers(ended=False), lambda left: not left)
    power.repair()
    settle(harness)
    assert_unchanged(harness, infos)


# ------------------------------------------------------------------ the manager


def test_a_manager_without_power_loses_what_ran_on_it_and_jobs_with_gpus(
    power: Power, harness: SwarmKit
) -> None:
    before = [*ended_before(harness, FIRST), *ended_before(harness, SECOND)]
    mine, other = Held(harness, FIRST), Held(harness, SECOND)
    card = Held(harness, SECOND, gpus=1)
    waiting = harness.count(harness.place())
    harness.pman(NODE_SELECTOR="pman.no=such").pman_submit(waiting)
    power.cut(MANAGER)
    power.repair()
    settle(harness)
    assert other.status().status is Status.STARTED
    other.release()
    ends = [mine.end(), other.end(), card.end()]
    assert (ends[0].status, ends[1].status) == (Status.FAILED, Status.SUCCEEDED)
    assert ends[0].message == "exited with code 255, or its engine was restarted"
    assert ends[2].reason is Reason.LOST
    assert harness.pman().pman_status(waiting.jid).reason is Reason.QUEUED
    assert_unchanged(harness, [*before, *ends])
