"""The files of deploy/kubernetes: applied to a cluster, where a pman that they start runs a job."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import requests
from k8s_cluster import (
    IMAGE,
    PART,
    ROOT,
    STOREBASE,
    account,
    admin,
    kubectl,
    until,
)
from pod_security_rules import restricted, restricted_v2

BASE = ROOT / "deploy" / "kubernetes" / "base"
OPENSHIFT = ROOT / "deploy" / "kubernetes" / "openshift"

#: Not one that somebody uses here already.
PORT = 15011


def rendered(folder: Path) -> list[dict[str, Any]]:
    """The objects that an overlay makes."""
    found = subprocess.run(
        ["kubectl", "create", "--dry-run=client", "-o", "json", "-k", str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KUBECONFIG": os.environ.get("KUBECONFIG", "")},
    ).stdout
    decoder, at = json.JSONDecoder(), 0
    objects: list[dict[str, Any]] = []
    while at < len(found.rstrip()):
        one, at = decoder.raw_decode(found, at)
        objects += one["items"] if one["kind"] == "List" else [one]
        at += len(found[at:]) - len(found[at:].lstrip())
    return objects


def only(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [one for one in objects if one["kind"] == kind]
    return found


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("folder", [BASE, OPENSHIFT])
def test_pman_itself_meets_the_strictest_level(folder: Path) -> None:
    spec = only(rendered(folder), "Deployment")["spec"]["template"]["spec"]
    assert list(restricted(spec)) == []
    assert list(restricted_v2(spec)) == []


@pytest.mark.usefixtures("cluster")
def test_the_openshift_overlay_sets_container_env_and_names_no_user() -> None:
    settings = only(rendered(OPENSHIFT), "ConfigMap")["data"]
    assert settings["CONTAINER_ENV"] == "openshift"
    assert settings["CONTAINER_USER"] == ""
    namespaces = {one["metadata"]["namespace"] for one in rendered(OPENSHIFT)}
    assert namespaces == {settings["JOB_NAMESPACE"]}


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("folder", [BASE, OPENSHIFT])
def test_the_api_server_takes_every_file(folder: Path) -> None:
    namespace = only(rendered(folder), "ConfigMap")["data"]["JOB_NAMESPACE"]
    exists = kubectl("get", "namespace", namespace, "--ignore-not-found")
    if not exists:
        kubectl("create", "namespace", namespace)
    try:
        kubectl("apply", "--dry-run=server", "-k", str(folder))
    finally:
        if not exists:
            kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.mark.usefixtures("cluster")
def test_the_overlay_of_the_how_to_names_image_and_namespace(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "run-with-kubernetes.md").read_text()
    overlay = page.split("```yaml\n")[1].split("```")[0]
    base = os.path.relpath(BASE, tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(overlay.replace("../base ", f"{base} "))
    objects = rendered(tmp_path)
    (container,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "REGISTRY/pman:TAG"
    settings = only(objects, "ConfigMap")["data"]
    assert {one["metadata"]["namespace"] for one in objects} == {settings["JOB_NAMESPACE"]}
    assert settings["CONTAINER_USER"] == "1001:1001"
    assert settings["CONTAINER_ENV"] == "kubernetes"


@attrs.frozen
class Site:
    """A namespace of its own, with a volume on a folder of this machine."""

    namespace: str
    storebase: Path
    overlay: Path


@pytest.fixture
def site(cluster: None, tmp_path: Path) -> Iterator[Site]:
    """A site's own overlay of the base, as the comment in it describes."""
    if not PART:
        pytest.skip("only in a cluster on this machine a pod reaches the API server as here")
    name = f"pman-deploy-{uuid.uuid4().hex[:6]}"
    storebase = STOREBASE.parent / name
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    host, port = account().address
    # This cluster has no network between pods: pman is on the network of the machine.
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "pman"},
        "spec": {
            "template": {
                "spec": {
                    "hostNetwork": True,
                    "containers": [{"name": "pman", "env": environment(host, port)}],
                }
            }
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "storebase"},
        "spec": {"storageClassName": "", "volumeName": name},
    }
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": name,
        "resources": [os.path.relpath(BASE, overlay.resolve())],
        "images": [{"name": "localhost/pman", "newName": "localhost/pman-k8s-test"}],
        "configMapGenerator": [
            {"name": "pman", "behavior": "merge", "literals": [f"JOB_NAMESPACE={name}"]}
        ],
        "patches": [{"path": "patch.json"}, {"path": "claim.json"}],
    }
    ports = [
        {
            "op": "replace",
            "path": "/spec/template/spec/containers/0/ports/0/containerPort",
            "value": PORT,
        }
    ]
    kustomization["patches"].append(  # type: ignore[attr-defined]
        {"target": {"kind": "Deployment"}, "patch": json.dumps(ports)}
    )
    for file, content in (
        ("kustomization.yaml", kustomization),
        ("patch.json", patch),
        ("claim.json", claim),
    ):
        (overlay / file).write_text(json.dumps(content))
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Ti"},
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "",
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(storebase), "type": "Directory"},
        },
    }
    with contextlib.ExitStack() as made:
        made.callback(shutil.rmtree, storebase, ignore_errors=True)
        storebase.mkdir()
        for kind in ("persistentvolume", "namespace"):
            made.callback(kubectl, "delete", kind, name, "--ignore-not-found", "--wait=false")
        kubectl("create", "namespace", name)
        kubectl("apply", "-f", "-", given=json.dumps(volume))
        yield Site(name, storebase, overlay)


def secret_of_the_how_to(site: Site) -> str:
    """Makes the tokens of a site as the page says, in a shell; the token that it prints."""
    page = (ROOT / "docs" / "how-to" / "run-with-kubernetes.md").read_text()
    (block,) = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    commands = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", block.replace("-n chris ", f"-n {site.namespace} ")],
        cwd=site.overlay.parent,
        env={**os.environ, "PATH": commands},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[0]


def environment(host: str, port: int) -> list[dict[str, str]]:
    """Where the API server and pman are, in this cluster of the tests."""
    variables = {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": str(port),
        "PORT": str(PORT),
    }
    return [{"name": name, "value": value} for name, value in variables.items()]


@pytest.fixture
def image(cluster: None) -> Iterator[str]:
    """An image of pman with this plugin, built without a network.

    The nodes find it only where their runtime is the dockerd that builds it (until 1.23).
    """
    (node, *_) = admin().ask("GET", "/api/v1/nodes").body["items"]
    runtime = node["status"]["nodeInfo"]["containerRuntimeVersion"]
    if not runtime.startswith("docker://"):
        pytest.skip(f"images are built with Docker here, and the nodes run {runtime}")
    name = "localhost/pman-k8s-test:latest"
    subprocess.run(
        [str(ROOT / "deploy" / "build-offline"), IMAGE, "--tag", name],
        env={**os.environ, "BACKENDS": "k8s"},
        check=True,
        capture_output=True,
        timeout=500,
    )
    yield name
    subprocess.run(["docker", "rmi", "--force", name], capture_output=True, timeout=60)


@pytest.mark.timeout(900)
def test_a_pman_that_is_applied_runs_a_job(site: Site, image: str) -> None:
    token = secret_of_the_how_to(site)
    kubectl("apply", "-k", str(site.overlay))
    kubectl("-n", site.namespace, "rollout", "status", "deployment/pman", "--timeout=100s")
    for part in ("in", "out"):
        (site.storebase / part).mkdir()
    os.chown(site.storebase / "out", 1001, 1001)
    url = f"http://127.0.0.1:{PORT}/api/v1/"
    request = {
        "jid": "applied", "image": IMAGE, "entrypoint": ["/bin/sh", "-c"], "type": "ds",
        "args": ["id -u > /share/outgoing/made"], "auid": "cube", "number_of_workers": 1,
        "cpu_limit": 500, "memory_limit": 64, "gpu_limit": 0, "input_dir": "in",
        "output_dir": "out",
    }  # fmt: skip
    assert requests.post(url, json=request, timeout=60).status_code == 401
    pfcon = requests.Session()
    pfcon.auth = ("pfcon", token)
    posted = pfcon.post(url, json=request, timeout=60)
    assert posted.status_code == 201, posted.text

    def polled() -> dict[str, Any]:
        return dict(pfcon.get(f"{url}applied/", timeout=60).json())

    end = until(polled, lambda told: told["status"].startswith("finished"))
    assert end["status"] == "finishedSuccessfully", end
    assert (site.storebase / "out" / "made").read_text() == "1001\n"
    checked = kubectl("-n", site.namespace, "exec", "deployment/pman", "--", "pman", "check")
    assert "FAULT" not in checked
    assert "tokens of pfcon (submit)" in checked
    assert pfcon.delete(f"{url}applied/", timeout=60).status_code == 204
    assert admin(site.namespace).jobs("", 10, "").body["items"] == []
