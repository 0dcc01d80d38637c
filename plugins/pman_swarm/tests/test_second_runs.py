"""A job has one end, whatever somebody does with its service later."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from engine_kit import runs, until
from swarm_kit import FIRST, SECOND, SwarmKit
from swarm_subjects import RealSwarm, force_update

from pman_core import Job, JobFilter, JobInfo, Status
from pman_core.kit.names import LABEL_PREFIX

#: Ends at once with a code; a second run of it would go on for ever, with a line in ``again``.
ONCE = """
if [ -e /share/outgoing/runs ]; then
  echo run >> /share/outgoing/again
  trap '' TERM; while true; do sleep 0.1; done
fi
echo run | tee -a /share/outgoing/runs
exit {code}
"""


def once(harness: SwarmKit, place: Path, code: int = 0) -> Job:
    return harness.shell(ONCE.replace("{code}", str(code)), place)


def recorded_in(harness: SwarmKit, jid: str) -> dict[str, str]:
    """What pman recorded of the end, by the names of the labels without their prefix."""
    names = ("message", "reason", "exit-code", "finished")
    labels = harness.spec(jid)["Labels"]
    found = {name: labels.get(LABEL_PREFIX + name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("label", [FIRST, SECOND], ids=["first", "second"])
def test_a_forced_second_run_is_ended_and_the_end_stays(
    harness: SwarmKit, two_nodes: RealSwarm, label: str, code: int
) -> None:
    place = harness.place()
    job = once(harness, place, code)
    pman = harness.pman(NODE_SELECTOR=label)
    first = harness.run(job, pman)
    assert first.exit_code == code
    force_update(harness.swarm.manager, first.native)
    until((place / "out" / "again").exists, bool)
    assert pman.pman_status(job.jid) == first == harness.pman().pman_status(job.jid)
    assert pman.pman_list(JobFilter(), 10, None).jobs == (first,)
    until(lambda: harness.containers(ended=False), lambda left: not left)
    assert pman.pman_status(job.jid) == first
    assert harness.log(first) == b"run\n"
    assert pman.pman_submit(job) == first
    assert runs(place) == 1


def test_a_worker_that_somebody_adds_after_the_end_is_ended(harness: SwarmKit) -> None:
    """What ``docker service scale`` does."""
    place = harness.place()
    job = once(harness, place)
    pman = harness.pman()
    first = harness.run(job, pman)
    harness.update(job.jid, Mode={"Replicated": {"Replicas": 2}})
    until((place / "out" / "again").exists, bool)
    assert pman.pman_status(job.jid) == first
    until(lambda: harness.containers(ended=False), lambda left: not left)
    assert pman.pman_status(job.jid) == first


def test_a_list_ends_a_second_run_too(harness: SwarmKit) -> None:
    place = harness.place()
    job = once(harness, place)
    first = harness.run(job)
    force_update(harness.swarm.manager, first.native)
    until((place / "out" / "again").exists, bool)
    assert harness.pman().pman_list(JobFilter(), 10, None).jobs == (first,)
    until(lambda: harness.containers(ended=False), lambda left: not left)


@pytest.mark.parametrize("workers", [1, 4])
def test_recording_an_end_begins_no_second_run(harness: SwarmKit, workers: int) -> None:
    place = harness.place()
    job = harness.sized(harness.count(place), workers=workers)
    info = harness.run(job)
    assert recorded_in(harness, job.jid) == {
        "message": "finished",
        "exit-code": "0",
        "finished": info.finished.isoformat() if info.finished else "",
    }
    # The swarm has had time to begin something: it has run another job.
    harness.run(harness.shell("true"))
    assert len(harness.tasks(job.jid)) == runs(place) == workers


def test_the_end_of_the_largest_job_is_recorded(harness: SwarmKit) -> None:
    """The swarm keeps a service as it was before its last update too: twice as many bytes."""
    job = harness.shell("exit 3", env={f"N{n}": "x" * 100_000 for n in range(3)})
    pman = harness.pman()
    pman.pman_validate(job)
    info = harness.run(job, pman)
    assert recorded_in(harness, job.jid)["reason"] == "exit-code"
    assert harness.run(harness.shell("true")).status is Status.SUCCEEDED
    assert pman.pman_status(job.jid) == info


def test_many_pmans_record_one_end(harness: SwarmKit) -> None:
    place = harness.place()
    job = harness.shell("while [ ! -e /share/incoming/go ]; do sleep 0.1; done; exit 3", place)
    harness.pman().pman_submit(job)
    pmans: list[Any] = [harness.pman() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        ends = [pool.submit(harness.end_of, pman, job.jid) for pman in pmans]
        until(lambda: pmans[0].pman_status(job.jid), lambda info: info.status is Status.STARTED)
        (place / "in" / "go").touch()
        infos: set[JobInfo] = {end.result() for end in ends}
    assert len(infos) == 1
    assert len(harness.tasks(job.jid)) == 1


def test_the_record_holds_no_value_of_the_environment(harness: SwarmKit) -> None:
    secret = "s3cr3t-t0k3n-value"  # noqa: S105 - not one
    info = harness.run(harness.job("/no/such", env={"TOKEN": secret}))
    assert secret not in json.dumps(recorded_in(harness, info.jid))
