"""A job becomes what the engines' create requests say, and nothing else."""

from typing import Any

import attrs
import pytest

from pman_core import HostPath, Job, Mount, NfsPath, Resources, User, VolumePath
from pman_core.contract.errors import InvalidJobError, SettingsError, UnsupportedError
from pman_core.kit.settings import load
from pman_docker.container_fields import user_words
from pman_docker.payload import (
    docker_payload,
    docker_placeholder,
    podman_payload,
    podman_placeholder,
)
from pman_docker.settings import DockerSettings
from pman_docker.validate import validate

SETTINGS = load(DockerSettings, {})
OPEN = load(DockerSettings, {"CONFINE_JOBS": "no"})
MIB = 2**20
BASE = Job(
    jid="j",
    image="some/image:1",
    argv=("program", "", "$HOME"),
    resources=Resources(memory_mib=64),
    mounts=(),
    fingerprint="v1-abc",
)


def job(**changes: Any) -> Job:
    return attrs.evolve(BASE, **changes)


def docker(made: Job, settings: DockerSettings = SETTINGS) -> dict[str, Any]:
    return docker_payload(made, settings, {"k": "v"})


def podman(made: Job, settings: DockerSettings = SETTINGS) -> dict[str, Any]:
    return podman_payload(made, settings, {"k": "v"})


def test_argv_takes_the_place_of_the_entrypoint() -> None:
    """With an empty entrypoint, Podman would keep that of the image."""
    assert (docker(BASE)["Entrypoint"], docker(BASE)["Cmd"]) == (["program"], ["", "$HOME"])
    assert (podman(BASE)["entrypoint"], podman(BASE)["command"]) == (["program"], ["", "$HOME"])


def test_memory_is_a_hard_limit_swap_included() -> None:
    host = docker(BASE)["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 64 * MIB
    assert podman(BASE)["resource_limits"]["memory"] == {"limit": 64 * MIB, "swap": 64 * MIB}


def test_what_has_no_limit_gets_none() -> None:
    free = job(resources=Resources())
    assert not {"Memory", "MemorySwap", "NanoCpus", "DeviceRequests", "ShmSize"} & set(
        docker(free)["HostConfig"]
    )
    assert podman(free)["resource_limits"].keys() == {"pids"}
    assert "shm_size" not in podman(free)


@pytest.mark.parametrize("millicores", [100, 1000, 1500])
def test_cpu_is_exact(millicores: int) -> None:
    made = job(resources=Resources(memory_mib=64, cpu_millicores=millicores))
    assert docker(made)["HostConfig"]["NanoCpus"] == millicores * 10**6
    cpu = podman(made)["resource_limits"]["cpu"]
    assert cpu["quota"] * 1000 == millicores * cpu["period"]


def test_podman_gets_the_least_cpu_that_it_takes() -> None:
    made = job(resources=Resources(memory_mib=64, cpu_millicores=1))
    assert podman(made)["resource_limits"]["cpu"]["quota"] == 1000


def test_gpus_are_requested_as_devices() -> None:
    made = job(resources=Resources(memory_mib=64, gpus=2))
    wanted = [{"Count": 2, "Capabilities": [["gpu"]]}]
    assert docker(made)["HostConfig"]["DeviceRequests"] == wanted


def test_the_working_directory_is_the_jobs_or_that_of_the_image() -> None:
    made = job(workdir="/with blank")
    assert (docker(made)["WorkingDir"], podman(made)["work_dir"]) == ("/with blank",) * 2
    assert "WorkingDir" not in docker(BASE)
    assert "work_dir" not in podman(BASE)


def test_shared_memory_is_in_mebibytes() -> None:
    assert docker(job(shm_mib=16))["HostConfig"]["ShmSize"] == 16777216
    assert podman(job(shm_mib=16))["shm_size"] == 16777216


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (None, ""),
        (User(), ""),
        (User(uid=1001), "1001"),
        (User(uid=1001, gid=1002), "1001:1002"),
        (User(uid=0, gid=0), "0:0"),
        (User(gid=1002), "0:1002"),
    ],
)
def test_the_group_is_the_jobs_own(user: User | None, words: str) -> None:
    assert docker(job(user=user))["User"] == podman(job(user=user))["user"] == words


@pytest.mark.parametrize("image_user", ["1001", "nobody"])
def test_a_group_alone_goes_with_the_user_of_the_image(image_user: str) -> None:
    made = job(user=User(gid=1002))
    assert user_words(made, image_user) == f"{image_user}:1002"
    assert docker_payload(made, SETTINGS, {}, image_user)["User"] == f"{image_user}:1002"
    assert podman_payload(made, SETTINGS, {}, image_user)["user"] == f"{image_user}:1002"


@pytest.mark.parametrize("user", [None, User(uid=0), User(uid=0, gid=5)])
def test_root_keeps_five_capabilities(user: User | None) -> None:
    keeps = [f"CAP_{name}" for name in ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID")]
    host = docker(job(user=user))["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], keeps)
    assert (podman(job(user=user))["cap_drop"], podman(job(user=user))["cap_add"]) == (
        ["ALL"],
        keeps,
    )


def test_another_user_keeps_none() -> None:
    made = job(user=User(uid=1001))
    assert docker(made)["HostConfig"]["CapAdd"] == podman(made)["cap_add"] == []
    assert docker(made)["HostConfig"]["CapDrop"] == podman(made)["cap_drop"] == ["ALL"]


def test_confinement_can_be_opted_out_of() -> None:
    host, body = docker(BASE, OPEN)["HostConfig"], podman(BASE, OPEN)
    assert (host["CapDrop"], host["CapAdd"], host["SecurityOpt"]) == ([], [], [])
    assert (body["cap_drop"], body["cap_add"], body["no_new_privileges"]) == ([], [], False)
    assert host["PidsLimit"] == body["resource_limits"]["pids"]["limit"] == 4097


def test_both_mounts_are_there_also_of_one_folder() -> None:
    both = HostPath("/base/x, y:z")
    made = job(mounts=(Mount(both, "/in", read_only=True), Mount(both, "/out", read_only=False)))
    mounts = docker(made)["HostConfig"]["Mounts"]
    assert [(m["Type"], m["Source"], m["Target"], m["ReadOnly"]) for m in mounts] == [
        ("bind", "/base/x, y:z", "/in", True),
        ("bind", "/base/x, y:z", "/out", False),
    ]
    mounts = podman(made)["mounts"]
    assert [(m["type"], m["source"], m["destination"], m["options"][-1]) for m in mounts] == [
        ("bind", "/base/x, y:z", "/in", "ro"),
        ("bind", "/base/x, y:z", "/out", "rw"),
    ]


def test_a_directory_is_part_of_the_volume_of_its_storebase() -> None:
    source = HostPath("/base/x, y:z/in", within="/base")
    made = job(mounts=(Mount(source, "/in", read_only=True), Mount(source, "/out", False)))
    mounts = docker_payload(made, SETTINGS, {}, "", {"/base": "v"})["HostConfig"]["Mounts"]
    options = {"Subpath": "x, y:z/in", "NoCopy": True}
    part = {"Type": "volume", "Source": "v", "VolumeOptions": options}
    assert mounts == [
        {**part, "Target": "/in", "ReadOnly": True},
        {**part, "Target": "/out", "ReadOnly": False},
    ]
    body = podman_payload(made, SETTINGS, {}, "", {"/base": "v"})
    assert body["mounts"] == []
    assert body["volumes"] == [
        {"Dest": target, "Name": "v", "SubPath": "x, y:z/in", "Options": ["nocopy", access]}
        for target, access in (("/in", "ro"), ("/out", "rw"))
    ]


@pytest.mark.parametrize("volumes", [{}, {"/other": "v"}, {"": "v"}])
def test_a_directory_of_no_such_storebase_is_bound(volumes: dict[str, str]) -> None:
    made = job(mounts=(Mount(HostPath("/base/x", within="/base"), "/in", read_only=True),))
    (mount,) = docker_payload(made, SETTINGS, {}, "", volumes)["HostConfig"]["Mounts"]
    assert (mount["Type"], mount["Source"]) == ("bind", "/base/x")
    body = podman_payload(made, SETTINGS, {}, "", volumes)
    assert [mount["source"] for mount in body["mounts"]] == ["/base/x"]
    assert body["volumes"] == []


def test_nfs_is_an_anonymous_volume() -> None:
    mount = Mount(NfsPath("nfs.example.org", "/export/x"), "/in", read_only=True)
    found = docker(job(mounts=(mount,)))["HostConfig"]["Mounts"][0]
    assert found["Type"] == "volume"
    assert not {"Source", "ReadOnly"} & found.keys()  # Docker refuses the two without each other
    options = found["VolumeOptions"]["DriverConfig"]["Options"]
    assert options["device"] == ":/export/x"
    assert options["o"] == "addr=nfs.example.org,nolock,soft,ro"


def test_other_sources_are_refused() -> None:
    volume = job(mounts=(Mount(VolumePath("v", "x"), "/in", read_only=True),))
    nfs = job(mounts=(Mount(NfsPath("s", "/x"), "/in", read_only=True),))
    with pytest.raises(UnsupportedError):
        docker(volume)
    with pytest.raises(UnsupportedError):
        podman(volume)
    with pytest.raises(UnsupportedError):
        podman(nfs)


def test_environment_and_labels_go_as_they_are() -> None:
    made = job(env={"A": "x=y\n", "B": ""})
    assert docker(made)["Env"] == ["A=x=y\n", "B="]
    assert podman(made)["env"] == {"A": "x=y\n", "B": ""}
    assert docker(made)["Labels"] == podman(made)["labels"] == {"k": "v"}


def test_placeholders_are_of_their_image() -> None:
    assert docker_placeholder("i", {"k": "v"}) == {
        "Image": "i",
        "Cmd": ["note"],
        "Labels": {"k": "v"},
    }
    assert podman_placeholder("i", {"k": "v"})["labels"] == {"k": "v"}


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"argv": ()}, "entrypoint"),
        ({"argv": ("", "x")}, "entrypoint"),
        ({"resources": Resources(memory_mib=5)}, "memory_limit"),
        ({"env": {"": "x"}}, "env"),
        ({"env": {"A=B": "x"}}, "env"),
    ],
)
def test_what_can_never_run_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidJobError) as caught:
        validate(job(**changes))
    assert list(caught.value.faults) == [field]


def test_what_can_run_is_not() -> None:
    validate(job(user=User(uid=1001, gid=1002), resources=Resources(memory_mib=6)))


# ------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"DOCKER_HOST": "ssh://me@there"}, "must begin with"),
        ({"DOCKER_HOST": "/var/run/docker.sock"}, "must begin with"),
        ({"DOCKER_HOST": "tcp://"}, "no address"),
        ({"DOCKER_HOST": "tcp://host:port"}, "DOCKER_HOST"),
        ({"DOCKER_TLS_VERIFY": "1"}, "DOCKER_HOST is no tcp"),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_HOST": "unix:///x"}, "DOCKER_HOST is no tcp"),
        ({"DOCKER_CERT_PATH": "/nowhere"}, "ca.pem, cert.pem, key.pem"),
        ({"DOCKER_CERT_PATH": "relative"}, "absolute"),
        ({"PIDS_LIMIT": "0"}, "PIDS_LIMIT"),
        ({"PULL_TIMEOUT": "soon"}, "PULL_TIMEOUT"),
        ({"CONFINE_JOBS": "perhaps"}, "CONFINE_JOBS"),
    ],
)
def test_wrong_settings_end_the_start(environ: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load(DockerSettings, environ)
