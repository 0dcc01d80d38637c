"""Where a job runs, what it gets there, and that it waits where there is no room."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from engine_kit import until
from swarm_kit import FIRST, FOR_EVER, SECOND, SwarmKit
from swarm_rest import JOBS, client_of, request, rest_end_of
from swarm_subjects import IMAGE, RealSwarm

from pman_core import JobInfo, Reason, Status, User

#: Tells all that a job can see of its limits; cgroup v1 and v2.
SURROUNDINGS = """
import json, os
def read(*paths):
    for path in paths:
        if os.path.exists(path):
            return open(path).read().split()[0]
found = os.statvfs("/dev/shm")
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "ids": [os.getuid(), os.getgid(), os.getgroups()],
    "memory": read("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    "pids": read("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"),
    "cpu": read("/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
    "shm": found.f_blocks * found.f_frsize,
    "shm_is_writable": os.access("/dev/shm", os.W_OK),
    "capabilities": int(status["CapBnd"], 16),
}))
"""

#: Of the kernel: CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_SETGID, CAP_SETUID.
ROOT_KEEPS = sum(1 << number for number in (0, 1, 3, 6, 7))


def seen(harness: SwarmKit, info: JobInfo) -> dict[str, Any]:
    assert info.status is Status.SUCCEEDED, info
    found: dict[str, Any] = json.loads(harness.log(info))
    return found


# ------------------------------------------------------------------ nodes


@pytest.mark.parametrize(("label", "node"), [(FIRST, 0), (SECOND, 1)], ids=["first", "second"])
def test_a_job_runs_on_a_node_with_the_labels(
    harness: SwarmKit, two_nodes: RealSwarm, label: str, node: int
) -> None:
    pman = harness.pman(NODE_SELECTOR=label)
    job = harness.sized(harness.shell("true"), workers=3)  # which would use both nodes
    assert harness.run(job, pman).status is Status.SUCCEEDED
    wanted = two_nodes.nodes[node].info()["Swarm"]["NodeID"]
    assert {task["NodeID"] for task in harness.tasks(job.jid)} == {wanted}


def test_a_job_that_no_node_fits_waits_and_says_why(harness: SwarmKit) -> None:
    pman = harness.pman(NODE_SELECTOR=f"{FIRST},pman.no=such")
    job = harness.shell("true")
    pman.pman_submit(job)
    info = until(lambda: pman.pman_status(job.jid), lambda info: "nodes" in info.message)
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED)
    assert "scheduling constraints not satisfied" in info.message
    assert pman.pman_remove(job.jid)
    assert harness.objects() == []


@pytest.mark.parametrize("wanted", [{"memory_mib": 10_000_000}, {"cpu_millicores": 999_000}])
def test_a_job_that_finds_no_room_waits_and_says_why(
    harness: SwarmKit, wanted: dict[str, int]
) -> None:
    pman = harness.pman()
    job = harness.sized(harness.shell("true"), **wanted)
    pman.pman_submit(job)
    info = until(lambda: pman.pman_status(job.jid), lambda info: "insufficient" in info.message)
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED)
    assert pman.pman_logs(info, 10, 1000) == b""


def test_more_cpu_than_there_is_does_not_break_pman(harness: SwarmKit) -> None:
    client = client_of(harness)
    asked = request(harness, cpu_limit=9999000)
    assert client.post(JOBS, json=asked).status_code == 201
    told = until(
        lambda: client.get(f"{JOBS}{asked['jid']}/").get_json(),
        lambda answer: "insufficient resources" in answer["message"],
    )
    assert told["status"] == "notstarted"


# ------------------------------------------------------------------ GPUs


def test_gpus_are_counted(harness: SwarmKit) -> None:
    """The first node has two of them; a job that finds one taken waits for it."""
    pman = harness.pman(NODE_SELECTOR=FIRST)
    first = harness.sized(harness.shell(FOR_EVER), gpus=2)
    second = harness.sized(harness.shell("true"), gpus=1)
    pman.pman_submit(first)
    until(lambda: pman.pman_status(first.jid), lambda info: info.status is Status.STARTED)
    ((_, container),) = harness.swarm.containers(harness.service(first.jid)["ID"])
    (cards,) = [e for e in container["Config"]["Env"] if e.startswith("DOCKER_RESOURCE_")]
    assert cards in (f"DOCKER_RESOURCE_PMAN-GPU=card-{n},card-{1 - n}" for n in (0, 1))
    pman.pman_submit(second)
    info = until(lambda: pman.pman_status(second.jid), lambda info: "insufficient" in info.message)
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED)
    assert pman.pman_remove(first.jid)
    assert harness.end_of(pman, second.jid).status is Status.SUCCEEDED


def test_more_gpus_than_a_node_has_are_reported(harness: SwarmKit) -> None:
    pman = harness.pman()
    job = harness.sized(harness.shell("true"), gpus=3)
    pman.pman_submit(job)
    info = until(lambda: pman.pman_status(job.jid), lambda info: "insufficient" in info.message)
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED)


# ------------------------------------------------------------------ seen from inside


def test_limits_are_in_force(harness: SwarmKit) -> None:
    job = harness.sized(
        harness.job("python3", "-c", SURROUNDINGS), memory_mib=96, cpu_millicores=500
    )
    found = seen(harness, harness.run(job, harness.pman(PIDS_LIMIT="77")))
    # The init is none of the processes that a job may have.
    assert (found["memory"], found["pids"], found["cpu"]) == (str(96 * 2**20), "78", "50000")


def test_user_and_group_are_the_jobs_own_and_it_has_no_powers(harness: SwarmKit) -> None:
    job = harness.job("python3", "-c", SURROUNDINGS, user=User(uid=1001, gid=1002), shm_mib=16)
    found = seen(harness, harness.run(job))
    assert found["ids"] == [1001, 1002, [1002]]
    assert found["capabilities"] == 0
    assert (found["shm"], found["shm_is_writable"]) == (16 * 2**20, True)


def test_root_keeps_five_powers(harness: SwarmKit) -> None:
    found = seen(harness, harness.run(harness.job("python3", "-c", SURROUNDINGS)))
    assert found["capabilities"] == ROOT_KEEPS


def test_confinement_can_be_opted_out_of(harness: SwarmKit) -> None:
    job = harness.job("python3", "-c", SURROUNDINGS)
    found = seen(harness, harness.run(job, harness.pman(CONFINE_JOBS="no")))
    assert found["capabilities"] & ROOT_KEEPS == ROOT_KEEPS
    assert found["capabilities"] != ROOT_KEEPS


def test_settings_of_the_core_reach_the_job(harness: SwarmKit) -> None:
    client = client_of(harness, SHM_SIZE="16", CONTAINER_USER="1001:1002", JOB_LABELS="app=x")
    asked = request(harness, "id -u; id -g; grep ' /dev/shm ' /proc/mounts")
    client.post(JOBS, json=asked)
    logs = rest_end_of(client, asked["jid"])["logs"]
    assert logs.startswith("1001\n1002\n")
    assert "size=16384k" in logs
    assert harness.spec(asked["jid"])["Labels"]["app"] == "x"
    (container,) = harness.swarm.containers(harness.service(asked["jid"])["ID"])
    assert container[1]["Config"]["Labels"]["app"] == "x"


def test_limits_can_be_left_out(harness: SwarmKit) -> None:
    """The job never runs here, since it would have no limit."""
    client = client_of(harness, IGNORE_LIMITS="yes", NODE_SELECTOR="pman.no=such")
    asked = request(harness)
    assert client.post(JOBS, json=asked).status_code == 201
    resources = harness.spec(asked["jid"])["TaskTemplate"]["Resources"]
    assert not {"MemoryBytes", "NanoCPUs"} & {*resources["Limits"], *resources["Reservations"]}


# ------------------------------------------------------------------ what an image brings along


@pytest.fixture
def unhealthy_image(harness: SwarmKit) -> Iterator[str]:
    """An image whose health check never succeeds, on the first node."""
    name = f"localhost/{harness.instance}:1"
    manager = harness.swarm.manager
    made = manager.create_container(IMAGE, ["true"])["Id"]
    try:
        check = "HEALTHCHECK --interval=1s --retries=1 CMD false"
        manager.commit(made, f"localhost/{harness.instance}", "1", changes=check)
    finally:
        manager.remove_container(made)
    try:
        yield name
    finally:
        harness.clean_up()
        manager.remove_image(name, force=True)


def test_a_health_check_of_the_image_has_no_say(harness: SwarmKit, unhealthy_image: str) -> None:
    """The swarm would take the task for not started, and end it."""
    pman = harness.pman(NODE_SELECTOR=FIRST)
    job = harness.shell(FOR_EVER, image=unhealthy_image)
    pman.pman_submit(job)
    until(lambda: pman.pman_status(job.jid), lambda info: info.status is Status.STARTED)
    ((_, container),) = harness.swarm.containers(harness.service(job.jid)["ID"])
    assert "Health" not in container["State"]
