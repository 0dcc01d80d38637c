"""Settings and jobs that Kubernetes would refuse are refused before."""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from k8s_jobs import BASE
from k8s_subjects import claim_of_tests

from pman_core import ClaimPath, Deviation, Job, Mount, Storage, User
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError, SettingsError
from pman_core.contract.storage import host_storage, nfs_storage
from pman_core.kit.directories import DirectoryChecker
from pman_core.kit.settings import load
from pman_k8s.backend import KubernetesBackend, OpenShiftBackend
from pman_k8s.settings import K8sSettings
from pman_k8s.validate import validate

SETTINGS = load(K8sSettings, {})
DIRECTORIES = DirectoryChecker(20)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JOB_NAMESPACE", "Upper"),
        ("NODE_SELECTOR", "disk"),
        ("NODE_SELECTOR", "-disk=ssd"),
        ("NODE_SELECTOR", "disk=s s d"),
        ("TOLERATIONS", "key:Never"),
        ("TOLERATIONS", ":NoSchedule"),
        ("IMAGE_PULL_SECRETS", "one,T_wo"),
        ("JOB_TTL", "-1"),
        ("GPU_RESOURCE", "gpu"),
        ("STOREBASE_MOUNT", "relative"),
        ("KUBECONFIG", "/no/such/file"),
    ],
)
def test_a_wrong_value_ends_the_start(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load(K8sSettings, {name: value})


def test_older_names_are_taken(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.touch()
    settings = load(K8sSettings, {"KUBECFG_PATH": str(config), "OPENSHIFTMGR_PROJECT": "chris"})
    assert settings.config_files == (str(config),)
    assert settings.namespace == "chris"


def test_two_names_that_contradict_each_other_end_the_start(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).touch()
    config = {"KUBECONFIG": str(tmp_path / "one"), "KUBECFG_PATH": str(tmp_path / "two")}
    namespace = {"JOB_NAMESPACE": "one", "OPENSHIFTMGR_PROJECT": "two"}
    with pytest.raises(SettingsError) as caught:
        load(K8sSettings, {**config, **namespace})
    assert [problem.partition(" differ")[0] for problem in caught.value.problems] == [
        "KUBECONFIG and KUBECFG_PATH",
        "JOB_NAMESPACE and OPENSHIFTMGR_PROJECT",
    ]
    assert load(K8sSettings, {**config, "KUBECFG_PATH": config["KUBECONFIG"]})


def test_without_a_cluster_there_is_no_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="set KUBECONFIG"):
        KubernetesBackend({"HOME": str(tmp_path)})


def test_in_a_pod_no_kubeconfig_is_needed(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert OpenShiftBackend(environ).pman_capabilities().default_storage == "kubernetes_pvc"


def test_the_storage_needs_a_claim(tmp_path: Path) -> None:
    backend = KubernetesBackend({"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    with pytest.raises(SettingsError, match="VOLUME_NAME"):
        backend.pman_resolve_storage("kubernetes_pvc")
    assert backend.pman_resolve_storage("host") is None


# ------------------------------------------------------------------------- jobs


def job(**changes: Any) -> Job:
    return attrs.evolve(BASE, **changes)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"user": User(uid=2**31)}, "CONTAINER_USER", "at most"),
        ({"argv": ("",)}, "entrypoint", "program"),
        ({"argv": ()}, "entrypoint", "program"),
        ({"env": {"a=b": "x"}}, "env", "name"),
        ({"argv": ("x", *("$" * 100_000 for _ in range(6)))}, "args", "bytes"),
        ({"labels": {"a b": "x"}}, "JOB_LABELS", "key of a label"),
        ({"labels": {"a": "x" * 64}}, "JOB_LABELS", "value of a label"),
        ({"labels": {"a": "ü"}}, "JOB_LABELS", "value of a label"),
        ({"labels": {"UPPER/a": "x"}}, "JOB_LABELS", "key of a label"),
        ({"labels": {"job-name": "x"}}, "JOB_LABELS", "Kubernetes' own"),
        ({"labels": {"batch.kubernetes.io/job-name": "x"}}, "JOB_LABELS", "Kubernetes' own"),
    ],
)
def test_a_job_that_can_never_run_is_refused(
    changes: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(InvalidJobError) as caught:
        validate(job(**changes), SETTINGS, DIRECTORIES)
    assert words in caught.value.faults[field]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"user": User(uid=0)},
        {"user": User(uid=2**31 - 1, gid=2**31 - 1)},
        {"labels": {"org.example/role": "x.y_z-1", "empty": ""}},
    ],
)
def test_a_job_that_can_run_is_not_refused(changes: dict[str, Any]) -> None:
    validate(job(**changes), SETTINGS, DIRECTORIES)


CLAIM = attrs.evolve(claim_of_tests(), seen_at=None)
HOST, NFS = host_storage("/data"), nfs_storage("server", "/data")
EACH_STORAGE = pytest.mark.parametrize("storage", [CLAIM, HOST, NFS], ids=lambda it: it.name)


@EACH_STORAGE
@pytest.mark.parametrize(
    ("field", "missing"), [("input_dir", "in"), ("output_dir", "out"), ("mounts", "model")]
)
def test_a_directory_that_is_missing_in_the_storebase_is_refused(
    tmp_path: Path, storage: Storage, field: str, missing: str
) -> None:
    """Wherever pman itself sees it: a kubelet would make it."""
    seen = load(K8sSettings, {"STOREBASE_MOUNT": str(tmp_path)})
    model = storage.mount("model", "/data/model", read_only=True)
    mounts = (*storage.mounts("in", "out"), model)
    for name in ("in", "out", "model"):
        (tmp_path / name).mkdir()
    validate(job(mounts=mounts), seen, DIRECTORIES)
    (tmp_path / missing).rmdir()
    with pytest.raises(InvalidJobError) as caught:
        validate(job(mounts=mounts), seen, DIRECTORIES)
    assert f"'{missing}'" in caught.value.faults[field]
    assert not (tmp_path / missing).exists()


@pytest.mark.parametrize(
    ("storage", "what"), [(CLAIM, "claim"), (HOST, "storebase"), (NFS, "storebase")]
)
def test_a_storebase_that_is_not_mounted_here_is_no_fault_of_a_request(
    tmp_path: Path, storage: Storage, what: str
) -> None:
    """A mount point without its mount is empty; a client would take the refusal for final."""
    mounts = storage.mounts("in", "out")
    for mount in (tmp_path, tmp_path / "nothing"):
        seen = load(K8sSettings, {"STOREBASE_MOUNT": str(mount)})
        with pytest.raises(EngineUnavailableError, match=f"is the {what} mounted"):
            validate(job(mounts=mounts), seen, DIRECTORIES)


@pytest.mark.parametrize("storage", [HOST, NFS], ids=lambda it: it.name)
def test_where_links_are_followed_missing_directories_are_left_to_the_kubelet(
    tmp_path: Path, storage: Storage
) -> None:
    """It reports them; and links may lead where pman does not see them."""
    seen = load(K8sSettings, {"STOREBASE_MOUNT": str(tmp_path)})
    mounts = attrs.evolve(storage, follows_links=True).mounts("in", "out")
    validate(job(mounts=mounts), seen, DIRECTORIES)


def test_a_storebase_that_cannot_be_looked_at_is_503(tmp_path: Path) -> None:
    seen = load(K8sSettings, {"STOREBASE_MOUNT": str(tmp_path)})
    mounts = (Mount(ClaimPath("storebase", "x" * 300), "/share/incoming", True),)
    with pytest.raises(EngineUnavailableError, match="cannot be looked at"):
        validate(job(mounts=mounts), seen, DIRECTORIES)


MADE = Deviation.MISSING_DIRECTORY_MADE
LINKS_OUT, LINKS_WITHIN = Deviation.LATE_LINKS_OUT, Deviation.LATE_LINKS_WITHIN


@pytest.mark.parametrize("storage", ["kubernetes_pvc", "host", "nfs"])
@pytest.mark.parametrize(
    ("more", "declared"),
    [
        ({}, {MADE}),
        ({"STOREBASE_MOUNT": "/storebase"}, set()),
        ({"STOREBASE_LINKS": "follow"}, set()),
        ({"STOREBASE_LINKS": "follow", "STOREBASE_MOUNT": "/storebase"}, set()),
    ],
)
def test_what_a_kubelet_makes_and_follows_is_declared(
    storage: str, more: dict[str, str], declared: set[Deviation]
) -> None:
    site = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "VOLUME_NAME": "v", "STORAGE_TYPE": storage}
    found = KubernetesBackend({**site, **more}).pman_capabilities().deviations
    is_volume = storage == "kubernetes_pvc" or "STOREBASE_LINKS" not in more
    if storage == "kubernetes_pvc":  # a claim is a volume, whatever is said of links
        declared = set() if "STOREBASE_MOUNT" in more else {MADE}
    assert found.keys() & {MADE, LINKS_OUT, LINKS_WITHIN} == declared | {LINKS_OUT, LINKS_WITHIN}
    assert ("CVE-2021-25741" in found[LINKS_OUT]) is is_volume


KUBECONFIG: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "hush"}}],
}


@pytest.mark.parametrize(
    ("part", "value", "told"),
    [
        ("server", "https://pman:hush@127.0.0.1:1", "holds a user or a password"),
        ("server", "http://pman:hush/x@127.0.0.1:1", "holds a user or a password"),
        ("proxy-url", "http://pman:hush@127.0.0.1:x", "is malformed"),
        ("proxy-url", "http://pman:hush/x@127.0.0.1:1", "is malformed"),
        ("token", "hush\nhush", "no header can carry"),
        ("token", "hush\u20ac", "no header can carry"),
    ],
)
def test_secrets_of_a_kubeconfig_are_in_no_message(
    tmp_path: Path, part: str, value: str, told: str
) -> None:
    content = json.loads(json.dumps(KUBECONFIG))
    inner = content["users"][0]["user"] if part == "token" else content["clusters"][0]["cluster"]
    inner[part] = value
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(content))
    pman = KubernetesBackend({"KUBECONFIG": str(path), "ENGINE_TIMEOUT": "2"})
    with pytest.raises(EngineUnavailableError, match=told) as caught:
        pman.pman_ping()
    assert "hush" not in str(caught.value)
