"""Several workers of one job."""

from engine_kit import runs, until
from swarm_kit import FOR_EVER, SwarmKit
from swarm_subjects import RealSwarm

from pman_core import Reason, Status

#: A worker leaves its line, waits for its name, and ends with the code in it.
WAITS = """
name=$(hostname)
echo run >> /share/outgoing/runs
touch /share/outgoing/worker-$name
while [ ! -e /share/incoming/$name ]; do sleep 0.1; done
exit $(cat /share/incoming/$name)
"""


def test_a_failed_worker_is_reported_when_all_have_ended_and_nobody_runs_again(
    harness: SwarmKit,
) -> None:
    place = harness.place()
    job = harness.sized(harness.shell(WAITS, place), workers=4)
    pman = harness.pman()
    pman.pman_submit(job)
    found = until(lambda: sorted((place / "out").glob("worker-*")), lambda seen: len(seen) == 4)
    names = [path.name.removeprefix("worker-") for path in found]
    # The swarm learns later than the files that they run.
    until(lambda: pman.pman_status(job.jid), lambda info: info.message == "running")

    def end(name: str, code: int) -> None:
        part = place / "in" / f"{name}.part"
        part.write_text(str(code))
        part.rename(place / "in" / name)

    end(names[0], 5)
    info = until(lambda: pman.pman_status(job.jid), lambda info: "1 ended" in info.message)
    assert (info.status, info.exit_code) == (Status.STARTED, None)
    assert info.message == "3 of 4 workers running, 1 ended"
    for name in names[1:]:
        end(name, 0)
    info = harness.end_of(pman, job.jid)
    assert (info.status, info.reason, info.exit_code) == (Status.FAILED, Reason.EXIT_CODE, 5)
    tasks = sorted(harness.tasks(job.jid), key=lambda task: str(task["Slot"]))
    (failed,) = [task["Slot"] for task in tasks if task["Status"]["State"] == "failed"]
    assert info.message == f"worker {failed} of 4: exited with code 5"
    assert (len(tasks), runs(place)) == (4, 4)
    assert harness.pman().pman_status(job.jid) == info


def test_workers_use_several_nodes(harness: SwarmKit, two_nodes: RealSwarm) -> None:
    info = harness.run(harness.sized(harness.shell("hostname"), workers=4))
    assert info.status is Status.SUCCEEDED, info
    assert len({task["NodeID"] for task in harness.tasks(info.jid)}) == 2
    assert harness.log(info).count(b"\n") == 8


def test_workers_that_find_no_room_end_the_job(harness: SwarmKit) -> None:
    """Each limit is of one worker: the swarm has three GPUs."""
    place = harness.place()
    script = f"echo run | tee -a /share/outgoing/runs; {FOR_EVER}"
    job = harness.sized(harness.shell(script, place), workers=4, gpus=1)
    patient = harness.pman()
    patient.pman_submit(job)
    until(
        lambda: patient.pman_status(job.jid),
        lambda info: info.message.startswith("3 of 4 workers running"),
    )
    until(lambda: runs(place), lambda begun: begun == 3)
    info = harness.end_of(harness.pman(START_DEADLINE="1"), job.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.START_DEADLINE)
    assert "3 of 4 workers running" in info.message
    assert runs(place) == 3
    until(lambda: harness.containers(ended=False), lambda left: not left)
    harness.run(harness.shell("true"))  # the swarm has had time to remove something
    assert harness.log(info).count(b"run\n") == 3
    assert harness.pman().pman_status(job.jid) == info
