"""A job becomes what the API server gets, and nothing else."""

import json
from typing import Any

import attrs
import pytest
from k8s_jobs import BASE, CLAIMS

from pman_core import (
    ClaimPath,
    HostPath,
    Mount,
    NfsPath,
    Resources,
    Storage,
    User,
    VolumePath,
)
from pman_core.contract.errors import UnsupportedError
from pman_core.contract.storage import host_storage, nfs_storage
from pman_core.kit.job_labels import owner_in
from pman_core.kit.settings import load
from pman_k8s.escaping import escaped, unescaped
from pman_k8s.payload import job_payload
from pman_k8s.platform import KUBERNETES
from pman_k8s.settings import K8sSettings


def job_of(settings: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    made = attrs.evolve(BASE, **changes)
    return job_payload("the-name", made, load(K8sSettings, settings or {}), KUBERNETES)


def pod_of(settings: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    return dict(job_of(settings, **changes)["spec"]["template"]["spec"])


def container_of(settings: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    return dict(pod_of(settings, **changes)["containers"][0])


def expanded(word: str, env: dict[str, str]) -> str:
    """What Kubernetes makes of a word (``third_party/forked/golang/expansion/expand.go``)."""
    made, at = "", 0
    while at < len(word):
        end = word.find(")", at)
        if word[at : at + 2] == "$$":
            made, at = made + "$", at + 2
        elif word[at : at + 2] == "$(" and end > 0:
            name = word[at + 2 : end]
            made, at = made + env.get(name, f"$({name})"), end + 1
        else:
            made, at = made + word[at], at + 1
    return made


@pytest.mark.parametrize(
    "word",
    ["$", "$$", "$$$", "$(HOME)", "$$(HOME)", "$(", "a$b", "$)", "$HOME ${HOME}", "", "$$$("],
)
def test_what_kubernetes_expands_arrives_as_it_was(word: str) -> None:
    assert expanded(escaped(word), {"HOME": "/root"}) == word
    assert unescaped(escaped(word)) == word


def test_argv_takes_the_place_of_entrypoint_and_command() -> None:
    container = container_of()
    assert container["command"] == ["program", "", "$$HOME"]
    assert "args" not in container


def test_annotations_hold_what_labels_cannot_and_never_argv_or_environment() -> None:
    metadata = job_of(labels={"role": "x"})["metadata"]
    assert metadata["labels"] == {"role": "x", "pman.chrisproject.org/instance": "pman"}
    notes = metadata["annotations"]
    assert notes["pman.chrisproject.org/jid"] == "Some Job ☃"
    assert notes["pman.chrisproject.org/fingerprint"] == "v1-abc"
    assert "program" not in json.dumps(notes)
    assert "cret" not in json.dumps(notes)


def test_labels_are_on_job_and_pod() -> None:
    made = job_of(labels={"role": "x"})
    assert made["metadata"]["labels"] == made["spec"]["template"]["metadata"]["labels"]


def test_nothing_is_ever_run_a_second_time() -> None:
    made = job_of()["spec"]
    assert made["backoffLimit"] == 0
    assert made["podReplacementPolicy"] == "Failed"
    assert made["podFailurePolicy"]["rules"][0]["action"] == "FailJob"
    assert made["template"]["spec"]["restartPolicy"] == "Never"


def test_workers_are_parallel_and_all_must_complete() -> None:
    made = job_of(resources=Resources(workers=3, memory_mib=64))["spec"]
    assert (made["parallelism"], made["completions"]) == (3, 3)


def test_limits_are_named_by_their_units() -> None:
    asked = Resources(cpu_millicores=1500, memory_mib=300, gpus=2)
    limits = container_of(resources=asked)["resources"]["limits"]
    assert limits == {"cpu": "1500m", "memory": "300Mi", "nvidia.com/gpu": "2"}
    other = container_of({"GPU_RESOURCE": "amd.com/gpu"}, resources=asked)["resources"]["limits"]
    assert other["amd.com/gpu"] == "2"


def test_what_has_no_limit_gets_none() -> None:
    assert container_of(resources=Resources())["resources"] == {"limits": {}}
    assert "activeDeadlineSeconds" not in pod_of()
    assert "ttlSecondsAfterFinished" not in job_of()["spec"]


def test_a_time_limit_is_the_pods_own() -> None:
    """That of a Job runs while it still waits for room."""
    assert pod_of(time_limit_s=60)["activeDeadlineSeconds"] == 60
    assert "activeDeadlineSeconds" not in job_of(time_limit_s=60)["spec"]


def test_a_working_directory_is_the_containers_and_not_expanded() -> None:
    assert container_of(workdir="/a/$(HOME)")["workingDir"] == "/a/$(HOME)"
    assert "workingDir" not in container_of()


@pytest.mark.parametrize("owner", ["Ünï @x/y", "null", "", None])
def test_an_owner_of_any_text_is_recorded_and_so_is_none(owner: str | None) -> None:
    assert owner_in(job_of(owner=owner)["metadata"]["annotations"]) == owner


def test_more_directories_of_a_claim_need_no_other_volume() -> None:
    more = (
        Mount(ClaimPath("storebase", "a b/model"), "/data/model", True),
        Mount(ClaimPath("atlas", "x"), "/data/atlas", False),
    )
    pod = pod_of(mounts=(*BASE.mounts, *more))
    assert [volume["name"] for volume in pod["volumes"]] == ["data-0", "data-3"]
    assert pod["containers"][0]["volumeMounts"][2:] == [
        {"name": "data-0", "mountPath": "/data/model", "readOnly": True, "subPath": "a b/model"},
        {"name": "data-3", "mountPath": "/data/atlas", "readOnly": False, "subPath": "x"},
    ]


def test_a_claim_is_one_volume_with_two_directories() -> None:
    pod = pod_of()
    claim = {"persistentVolumeClaim": {"claimName": "storebase"}}
    assert pod["volumes"] == [{"name": "data-0", **claim}]
    assert pod["containers"][0]["volumeMounts"] == [
        {"name": "data-0", "mountPath": "/share/incoming", "readOnly": True, "subPath": "a b/in"},
        {"name": "data-0", "mountPath": "/share/outgoing", "readOnly": False, "subPath": "a b/out"},
    ]


@pytest.mark.parametrize(
    ("storage", "volume"),
    [
        (host_storage("/data"), {"hostPath": {"path": "/data", "type": "Directory"}}),
        (nfs_storage("server", "/x"), {"nfs": {"server": "server", "path": "/x"}}),
    ],
)
def test_a_storebase_of_the_host_or_of_an_export_is_one_volume_like_a_claim(
    storage: Storage, volume: dict[str, Any]
) -> None:
    """So a kubelet refuses a directory that leads out of it, and only the input is read-only."""
    mounts = (*storage.mounts("a b/in", "a b/out"), *CLAIMS)
    pod = pod_of(mounts=mounts)
    assert pod["volumes"][0] == {"name": "data-0", **volume}
    assert [one["name"] for one in pod["volumes"]] == ["data-0", "data-2"]
    assert pod["containers"][0]["volumeMounts"][:2] == [
        {"name": "data-0", "mountPath": "/share/incoming", "readOnly": True, "subPath": "a b/in"},
        {"name": "data-0", "mountPath": "/share/outgoing", "readOnly": False, "subPath": "a b/out"},
    ]


def test_where_links_are_followed_a_missing_host_directory_is_never_made() -> None:
    mounts = (Mount(HostPath("/data/in"), "/share/incoming", True),)
    assert pod_of(mounts=mounts)["volumes"] == [
        {"name": "data-0", "hostPath": {"path": "/data/in", "type": "Directory"}}
    ]


def test_where_links_are_followed_nfs_is_mounted_read_only_where_it_is_read() -> None:
    mounts = (
        Mount(NfsPath("server", "/x/in"), "/share/incoming", True),
        Mount(NfsPath("server", "/x/out"), "/share/outgoing", False),
    )
    found = [volume["nfs"] for volume in pod_of(mounts=mounts)["volumes"]]
    assert found == [
        {"server": "server", "path": "/x/in", "readOnly": True},
        {"server": "server", "path": "/x/out", "readOnly": False},
    ]


def test_other_sources_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="VolumePath"):
        job_of(mounts=(Mount(VolumePath("v", "a"), "/share/incoming", True),))


def test_shared_memory_is_a_volume_in_memory() -> None:
    pod = pod_of(shm_mib=100)
    assert pod["volumes"][-1]["emptyDir"] == {"medium": "Memory", "sizeLimit": "100Mi"}
    assert pod["containers"][0]["volumeMounts"][-1]["mountPath"] == "/dev/shm"


def test_a_job_gets_no_token_and_no_services() -> None:
    pod = pod_of()
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


def test_user_and_group_are_the_jobs_own() -> None:
    context = pod_of(user=User(uid=1001, gid=1002))["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (1001, 1002)


def test_a_group_alone_is_the_containers_for_there_kubelets_know_the_user_of_the_image() -> None:
    user = User(gid=1002)
    assert not {"runAsUser", "runAsGroup"} & pod_of(user=user)["securityContext"].keys()
    context = container_of(user=user)["securityContext"]
    assert (context["runAsGroup"], context.get("runAsUser")) == (1002, None)


def test_settings_of_the_site_are_in_every_pod() -> None:
    pod = pod_of(
        {
            "NODE_SELECTOR": "kubernetes.io/arch=amd64,disk=ssd",
            "TOLERATIONS": "gpu=yes:NoSchedule,spot:NoExecute,any",
            "IMAGE_PULL_SECRETS": "one,two",
            "SERVICE_ACCOUNT": "runner",
            "PRIORITY_CLASS": "low",
        }
    )
    assert pod["nodeSelector"] == {"kubernetes.io/arch": "amd64", "disk": "ssd"}
    assert pod["tolerations"] == [
        {"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"},
        {"key": "spot", "operator": "Exists", "effect": "NoExecute"},
        {"key": "any", "operator": "Exists"},
    ]
    assert pod["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    assert (pod["serviceAccountName"], pod["priorityClassName"]) == ("runner", "low")


def test_a_time_to_live_is_only_there_where_it_is_asked_for() -> None:
    assert job_of({"JOB_TTL": "3600"})["spec"]["ttlSecondsAfterFinished"] == 3600
