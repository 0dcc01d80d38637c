"""What a job may do, as the engine says it and as the job sees it."""

import os
from typing import Any

import attrs
import docker.errors
import pytest
from engine_kit import EngineKit

from pman_core import Job, Resources, Status, User
from pman_core.contract.capabilities import Deviation, Option
from pman_core.contract.errors import ClientError
from pman_core.contract.storage import nfs_storage

#: CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID: bits 0, 1, 3, 6, 7 of linux/capability.h.
FIVE = 0b11001011

#: What the engine counts besides the processes of a job.
INIT = 1

STATUS = "while read key value; do case $key in Cap*|NoNewPrivs*) echo $key $value; esac; done"


def process_status(harness: EngineKit, **changes: Any) -> dict[str, int]:
    """The capabilities of a job, as its kernel tells them."""
    pman = harness.pman(**changes.pop("environ", {}))
    job = harness.shell(f"{STATUS} < /proc/self/status", **changes)
    info = harness.run(job, pman)
    assert info.status is Status.SUCCEEDED, info
    lines = harness.log(info).decode().splitlines()
    return {key.rstrip(":"): int(value, 16) for key, value in map(str.split, lines)}


@pytest.mark.parametrize("user", [None, User(uid=0, gid=0)])
def test_root_keeps_exactly_five_capabilities(harness: EngineKit, user: User | None) -> None:
    seen = process_status(harness, user=user)
    assert seen["CapEff"] == seen["CapPrm"] == seen["CapBnd"] == FIVE
    assert seen["NoNewPrivs"] == 1


def test_another_user_keeps_none(harness: EngineKit) -> None:
    seen = process_status(harness, user=User(uid=1001, gid=1002))
    assert seen["CapEff"] == seen["CapPrm"] == seen["CapBnd"] == 0
    assert seen["NoNewPrivs"] == 1


def test_confinement_can_be_opted_out_of(harness: EngineKit) -> None:
    for confined in ("yes", "no"):
        declared = harness.pman(CONFINE_JOBS=confined).pman_capabilities().deviations
        assert (Deviation.PRIVILEGES_GAINABLE in declared) == (confined == "no")
    seen = process_status(harness, environ={"CONFINE_JOBS": "no"})
    assert seen["NoNewPrivs"] == 0
    assert seen["CapBnd"] & FIVE == FIVE
    assert seen["CapBnd"] != FIVE


def test_a_root_job_writes_a_folder_of_another_user(harness: EngineKit) -> None:
    """As pfcon makes them: owned by its user, and writable for nobody else."""
    place = harness.place(0o755)
    os.chown(place / "out", 1001, 1001)
    info = harness.run(harness.shell("echo words > /share/outgoing/made", place))
    assert info.status is Status.SUCCEEDED, harness.log(info)
    assert (place / "out" / "made").read_text() == "words\n"


def test_the_number_of_processes_is_limited(harness: EngineKit) -> None:
    job = harness.shell(
        "n=0; while [ $n -lt 40 ]; do sleep 5 & n=$((n+1)); done; echo all; wait",
        resources=Resources(memory_mib=128),
    )
    info = harness.run(job, harness.pman(PIDS_LIMIT="20"))
    assert b"fork" in harness.log(info)
    assert b"all" not in harness.log(info)
    assert harness.inspect(info.native)["HostConfig"]["PidsLimit"] == 20 + INIT


def test_the_engine_says_the_same(harness: EngineKit) -> None:
    info = harness.run(harness.shell("true"))
    host = harness.inspect(info.native)["HostConfig"]
    assert host["PidsLimit"] == 4096 + INIT
    assert any("no-new-privileges" in option for option in host["SecurityOpt"])
    assert not host["Privileged"]
    assert host["RestartPolicy"]["Name"] in ("no", "")
    assert not host["AutoRemove"]


# ------------------------------------------------------------------ GPUs


def test_gpus_are_requested_of_docker(docker_harness: EngineKit) -> None:
    """There is none here: the container is inspected, and its start fails in Docker's words."""
    job = docker_harness.shell("true", resources=Resources(memory_mib=64, gpus=2))
    info = docker_harness.run(job)
    requests = docker_harness.inspect(info.native)["HostConfig"]["DeviceRequests"]
    assert [(r["Count"], r["Capabilities"]) for r in requests] == [(2, [["gpu"]])]
    assert info.status is Status.FAILED
    assert "gpu" in info.message


def test_gpus_are_refused_on_podman(harness: EngineKit) -> None:
    refused = Option.GPU_LIMIT in harness.pman().pman_capabilities().refusals
    assert refused is (harness.engine.name == "podman")


# ------------------------------------------------------------------ NFS


def nfs_job(harness: EngineKit) -> Job:
    job = harness.shell("true", argv=("/no/such/program",))
    mounts = nfs_storage("127.0.0.1", "/no-such-export").mounts("a/in", "a/out")
    return attrs.evolve(job, mounts=mounts)


def test_nfs_is_mounted_by_a_volume_that_goes_with_the_job(docker_harness: EngineKit) -> None:
    """No NFS server is here: what Docker was told is inspected."""
    harness, api = docker_harness, docker_harness.engine.api
    job = nfs_job(harness)
    pman = harness.pman()
    body = pman.flavor.job_payload(job, pman._settings, {})
    name = harness.name(job.jid)
    native, _ = pman.flavor.create(pman._engine, name, body)
    try:
        found = [mount["Name"] for mount in harness.inspect(name)["Mounts"]]
        assert len(found) == 2
        for volume in found:
            options = api.inspect_volume(volume)["Options"]
            assert options["type"] == "nfs"
            access = {":/no-such-export/a/in": "ro", ":/no-such-export/a/out": "rw"}
            assert options["o"] == f"addr=127.0.0.1,nolock,soft,{access[options['device']]}"
    finally:
        pman._engine.remove_wholly(native)
    for volume in found:
        with pytest.raises(docker.errors.NotFound):
            api.inspect_volume(volume)


def test_an_nfs_job_that_cannot_be_mounted_is_an_error(docker_harness: EngineKit) -> None:
    try:
        told = docker_harness.run(nfs_job(docker_harness))
    except ClientError:
        return  # refused when it was created
    assert told.status is Status.FAILED
    assert told.message
