"""A job becomes what the create request of services says, and nothing else."""

import json
from typing import Any

import attrs
import pytest
from swarm_escaping import expanded
from swarm_jobs import JOB

from pman_core import ClaimPath, HostPath, Job, Mount, NfsPath, Resources, User, VolumePath
from pman_core.contract.errors import InvalidJobError, SettingsError, UnsupportedError
from pman_core.kit.job_labels import owner_in
from pman_core.kit.settings import load
from pman_swarm.backend import SwarmBackend
from pman_swarm.payload import ended, recorded, service_payload
from pman_swarm.settings import SwarmSettings
from pman_swarm.status import is_barred

SETTINGS = load(SwarmSettings, {"INSTANCE": "mine"})
MIB = 2**20


def job(**changes: Any) -> Job:
    return attrs.evolve(JOB, **changes)


def payload(made: Job = JOB, **environ: str) -> dict[str, Any]:
    return service_payload("a-name", made, load(SwarmSettings, {"INSTANCE": "mine", **environ}))


def container(made: Job = JOB, **environ: str) -> dict[str, Any]:
    found: dict[str, Any] = payload(made, **environ)["TaskTemplate"]["ContainerSpec"]
    return found


def resources(wanted: Resources, **environ: str) -> dict[str, Any]:
    found: dict[str, Any] = payload(job(resources=wanted), **environ)["TaskTemplate"]["Resources"]
    return found


def test_argv_takes_the_place_of_the_entrypoint_and_is_no_template() -> None:
    assert container()["Command"] == ["program"]
    assert container()["Args"] == ["", "{{.Node.ID}} $HOME"]
    assert container(job(argv=("alone",)))["Args"] == []


def test_no_task_is_ever_run_again() -> None:
    """The API's defaults: any condition, for ever."""
    task = payload()["TaskTemplate"]
    assert task["RestartPolicy"]["Condition"] == "none"
    assert payload()["Mode"].keys() == {"Replicated"}  # jobs are: see payload.py


def test_each_worker_is_a_replica() -> None:
    made = job(resources=Resources(workers=7, memory_mib=64))
    assert payload(made)["Mode"] == {"Replicated": {"Replicas": 7}}


def test_limits_are_reservations_too() -> None:
    found = resources(Resources(memory_mib=64, cpu_millicores=1500))
    limits = {"MemoryBytes": 64 * MIB, "NanoCPUs": 1_500_000_000}
    assert found == {"Limits": {**limits, "Pids": 4097}, "Reservations": limits}


def test_what_has_no_limit_gets_none() -> None:
    assert resources(Resources()) == {"Limits": {"Pids": 4097}, "Reservations": {}}
    assert resources(Resources(), PIDS_LIMIT="7")["Limits"] == {"Pids": 8}
    assert resources(Resources(), PIDS_LIMIT="7", JOB_INIT="no")["Limits"] == {"Pids": 7}


def test_gpus_are_a_generic_resource() -> None:
    kind = {"Kind": "NVIDIA-GPU", "Value": 2}
    wanted = [{"DiscreteResourceSpec": kind}]
    assert resources(Resources(gpus=2))["Reservations"] == {"GenericResources": wanted}
    kind["Kind"] = "other"
    assert resources(Resources(gpus=2), GPU_RESOURCE="other")["Reservations"] == {
        "GenericResources": wanted
    }


@pytest.mark.parametrize(
    ("user", "words"),
    [(None, ""), (User(uid=1001), "1001"), (User(uid=1001, gid=1002), "1001:1002")],
)
def test_the_group_is_the_jobs_own(user: User | None, words: str) -> None:
    assert container(job(user=user))["User"] == words


def test_labels_are_on_the_service_and_on_its_containers() -> None:
    identity = {"pman.chrisproject.org/jid": "Some Job", "pman.chrisproject.org/instance": "mine"}
    assert container()["Labels"] == {**JOB.labels, **identity}
    labels = payload()["Labels"]
    assert labels.items() >= {**JOB.labels, **identity}.items()
    assert labels["pman.chrisproject.org/fingerprint"] == "v1-abc"
    assert labels["pman.chrisproject.org/image"] == "some/image:1"


def test_an_owner_is_a_label_of_the_service_alone() -> None:
    made = job(owner="Ünï @x/y")
    assert owner_in(payload(made)["Labels"]) == "Ünï @x/y"
    assert container(made)["Labels"] == container()["Labels"]
    assert owner_in(payload()["Labels"]) is None


def test_a_job_begins_in_its_working_directory() -> None:
    assert container(job(workdir="/a b/{{.Node.ID}}"))["Dir"] == "/a b/{{.Node.ID}}"
    assert container()["Dir"] == ""


def test_pmans_own_labels_cannot_be_forged() -> None:
    forged = {"pman.chrisproject.org/jid": "another", "pman.chrisproject.org/instance": "other"}
    made = job(labels=forged)
    for labels in (payload(made)["Labels"], container(made)["Labels"]):
        assert labels["pman.chrisproject.org/jid"] == "Some Job"
        assert labels["pman.chrisproject.org/instance"] == "mine"


def test_the_environment_is_nowhere_else() -> None:
    """It may hold tokens, and labels are shown to everybody."""
    assert json.dumps(payload()).count("secret") == 1


def test_shared_memory_is_a_tmpfs_in_mebibytes() -> None:
    """Services have no ShmSize."""
    mounts = container(job(shm_mib=16))["Mounts"]
    options = {"SizeBytes": 16777216, "Mode": 0o1777}
    assert mounts == [{"Type": "tmpfs", "Target": "/dev/shm", "TmpfsOptions": options}]
    assert container()["Mounts"] == []


def test_nodes_are_selected_by_all_their_labels() -> None:
    placement = payload(NODE_SELECTOR="b=2,a=x/y")["TaskTemplate"]["Placement"]
    assert placement == {"Constraints": ["node.labels.a==x/y", "node.labels.b==2"]}
    assert payload()["TaskTemplate"]["Placement"] == {"Constraints": []}


@pytest.mark.parametrize("user", [None, User(uid=0), User(uid=0, gid=5)])
def test_root_keeps_five_capabilities(user: User | None) -> None:
    keeps = [f"CAP_{name}" for name in ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID")]
    found = container(job(user=user))
    assert (found["CapabilityDrop"], found["CapabilityAdd"]) == (["ALL"], keeps)


def test_another_user_keeps_none() -> None:
    found = container(job(user=User(uid=1001)))
    assert (found["CapabilityDrop"], found["CapabilityAdd"]) == (["ALL"], [])
    assert found["Privileges"] == {"NoNewPrivileges": True}


def test_confinement_can_be_opted_out_of() -> None:
    found = container(CONFINE_JOBS="no")
    assert (found["CapabilityDrop"], found["CapabilityAdd"]) == ([], [])
    assert found["Privileges"] == {"NoNewPrivileges": False}


def test_logs_are_exact_and_without_a_terminal() -> None:
    assert container()["TTY"] is False
    assert payload()["TaskTemplate"]["LogDriver"] == {"Name": "local"}


def test_the_health_check_of_an_image_has_no_say() -> None:
    assert container()["HealthCheck"] == {"Test": ["NONE"]}


def test_a_removal_kills_at_once() -> None:
    assert container()["StopGracePeriod"] == 0


# ------------------------------------------------------------------ mounts


def test_both_mounts_are_there_also_of_one_folder() -> None:
    both = HostPath("/base/x, y:z")
    made = job(mounts=(Mount(both, "/in", read_only=True), Mount(both, "/out", read_only=False)))
    bind = {"Type": "bind", "Source": "/base/x, y:z"}
    assert container(made)["Mounts"] == [
        {**bind, "Target": "/in", "ReadOnly": True},
        {**bind, "Target": "/out", "ReadOnly": False},
    ]


def test_a_directory_is_no_template() -> None:
    made = job(mounts=(Mount(HostPath("/base/{{.Node.ID}}"), "/{{.Node.ID}}", read_only=True),))
    (mount,) = container(made)["Mounts"]
    assert expanded(mount["Source"]) == "/base/{{.Node.ID}}"
    assert expanded(mount["Target"]) == "/{{.Node.ID}}"


def test_nfs_options_are_no_templates() -> None:
    source = NfsPath("nfs.example.org", "/export/{{.Node.ID}}")
    (mount,) = container(job(mounts=(Mount(source, "/in", read_only=True),)))["Mounts"]
    options = mount["VolumeOptions"]["DriverConfig"]["Options"]
    assert {key: expanded(value) for key, value in options.items()} == {
        "type": "nfs",
        "o": "addr=nfs.example.org,nolock,soft,ro",
        "device": ":/export/{{.Node.ID}}",
    }


def nfs_volume(server: str, path: str, *, read_only: bool = True, **environ: str) -> dict[str, Any]:
    mount = Mount(NfsPath(server, path), "/in", read_only=read_only)
    (found,) = container(job(mounts=(mount,)), **environ)["Mounts"]
    return dict(found)


def test_tasks_with_one_directory_share_one_volume_and_others_none_with_them() -> None:
    """One without a name would be made anew for each task, and never be removed."""
    name = nfs_volume("s", "/a")["Source"]
    assert nfs_volume("s", "/a")["Source"] == name
    others = [
        nfs_volume("t", "/a"),
        nfs_volume("s", "/b"),
        nfs_volume("s", "/a", read_only=False),
        nfs_volume("s", "/a", INSTANCE="other"),
    ]
    assert len({name, *(other["Source"] for other in others)}) == 5


def test_volumes_tell_whose_they_are() -> None:
    labels = nfs_volume("s", "/a")["VolumeOptions"]["Labels"]
    assert labels == {"pman.chrisproject.org/instance": "mine"}


@pytest.mark.parametrize("source", [VolumePath("v", "x"), ClaimPath("c", "x")])
def test_other_sources_are_refused(source: VolumePath | ClaimPath) -> None:
    with pytest.raises(UnsupportedError):
        payload(job(mounts=(Mount(source, "/in", read_only=True),)))


# ------------------------------------------------------------------ updates


def test_ending_a_service_lets_none_of_its_tasks_run() -> None:
    """All of them at once; they are not removed, for their logs would be."""
    before = payload(NODE_SELECTOR="a=x")
    after = ended(before, {"why": "because"})
    constraints = ["node.labels.a==x", "node.id==ended-by-pman"]
    assert after.pop("UpdateConfig") == {"Parallelism": 0, "Order": "stop-first"}
    assert after == {
        **before,
        "Labels": {**before["Labels"], "why": "because"},
        "TaskTemplate": {**before["TaskTemplate"], "Placement": {"Constraints": constraints}},
    }
    assert before == payload(NODE_SELECTOR="a=x")
    assert is_barred(after["TaskTemplate"])
    assert not is_barred(before["TaskTemplate"])


def test_a_record_changes_labels_alone() -> None:
    before = payload()
    assert recorded(before, {"k": "v"}) == {**before, "Labels": {**before["Labels"], "k": "v"}}
    assert before == payload()


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"user": User(gid=1002)}, "CONTAINER_USER"),
        ({"argv": ()}, "entrypoint"),
        ({"resources": Resources(memory_mib=5)}, "memory_limit"),
        ({"env": {"A=B": "x"}}, "env"),
    ],
)
def test_what_can_never_run_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidJobError) as caught:
        SwarmBackend({}).pman_validate(job(**changes))
    assert list(caught.value.faults) == [field]


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"DOCKER_HOST": "ssh://me@there"}, "must begin with"),
        ({"DOCKER_TLS_VERIFY": "1"}, "DOCKER_HOST is no tcp"),
        ({"NODE_SELECTOR": "first"}, "NODE_SELECTOR must be pairs"),
        ({"NODE_SELECTOR": "a=1,a=2"}, "names 'a' twice"),
        ({"NODE_SELECTOR": "a==b"}, "NODE_SELECTOR"),
        ({"NODE_SELECTOR": "a!=b"}, "NODE_SELECTOR"),
        ({"NODE_SELECTOR": "a b=c"}, "NODE_SELECTOR"),
        ({"NODE_SELECTOR": "example.org/gpu=yes"}, "has the key 'example.org/gpu'"),
        ({"PIDS_LIMIT": "0"}, "PIDS_LIMIT"),
        ({"CONFINE_JOBS": "perhaps"}, "CONFINE_JOBS"),
        ({"START_DEADLINE": "soon"}, "START_DEADLINE"),
    ],
)
def test_wrong_settings_end_the_start(environ: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        SwarmBackend(environ)


def test_nothing_is_asked_at_the_start() -> None:
    SwarmBackend({"DOCKER_HOST": "unix:///no/such/socket"}).pman_capabilities()
