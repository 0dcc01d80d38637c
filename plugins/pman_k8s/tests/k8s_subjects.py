"""The cluster as a subject of the conformance class."""

import contextlib
import gc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from k8s_cluster import (
    CLAIM,
    IMAGE,
    MISSING_IMAGE,
    NAMESPACE,
    PART,
    STOREBASE,
    account,
    admin,
    exists,
    part,
)
from proxies import Proxy, proxy

from pman_core import ClaimPath, Job, JobInfo, Storage
from pman_core.contract.storage import host_storage
from pman_core.testing import Subject
from pman_core.testing.faulty_registry import faulty_images
from pman_k8s.backend import KubernetesBackend
from pman_k8s.labels import selector

#: The daemons of the cluster, in the order in which they start.
PARTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")


def environ_of(config: Path, **more: str) -> dict[str, str]:
    """The variables by which pman knows the cluster."""
    return {
        "KUBECONFIG": str(config),
        "JOB_NAMESPACE": NAMESPACE,
        "VOLUME_NAME": CLAIM,
        "STOREBASE_MOUNT": str(STOREBASE),
        **more,
    }


def claim_of_tests() -> Storage:
    return Storage(
        name="kubernetes_pvc",
        kind=ClaimPath,
        description="the claim of the tests",
        locate=lambda directory: ClaimPath(CLAIM, directory),
        seen_at=str(STOREBASE),
    )


def host_of_tests() -> Storage:
    """The same folder, as one that is on every node."""
    return host_storage(str(STOREBASE))


@contextlib.contextmanager
def subject_on(folder: Path, storage: Storage | None = None) -> Iterator[Subject]:
    """The cluster, behind a proxy that plays the engine that is down.

    :param storage: else the claim.
    """
    storage = storage or claim_of_tests()
    mine = account()
    with proxy(mine.address) as between:
        yield Subject(
            factory=KubernetesBackend,
            environ=environ_of(
                mine.kubeconfig(folder, between.port),
                STORAGE_TYPE=storage.name,
                STOREBASE=str(STOREBASE),
            ),
            image=IMAGE,
            storage=storage,
            storebase=STOREBASE,
            missing_image=MISSING_IMAGE,
            make_foreign=foreign,
            unplaceable=unplaceable,
            lose_run=delete_pods,
            faulty_image=faulty_images() if PART else None,  # the nodes must reach this machine
            stop_engine=between.cut,
            crash_engine=crash if PART else None,
            start_engine=partial(start, between),
            # A kubelet (1.20) ends a container whose pod was deleted while it started after 90 s.
            patience_s=180,
        )
    gc.collect()  # see PYTHON_LEAVES_SOCKETS


def crash() -> None:
    """All daemons of the cluster end at once; the containers of its pods go on."""
    for name in PARTS:
        part("kill", name)


def start(between: Proxy) -> None:
    """What has ended is started again, and what is cut off is joined."""
    for name in PARTS if PART else ():
        part("start", name)
    between.up()


@contextlib.contextmanager
def foreign(name: str) -> Iterator[Callable[[], bool]]:
    """A Job that is not pman's, and has no pod."""
    container = {"name": "job", "image": IMAGE, "command": ["true"]}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "parallelism": 0,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    }
    uid = admin().create(job).body["metadata"]["uid"]
    try:
        yield lambda: exists(name)
    finally:
        admin().delete_job(name, uid)


def unplaceable(job: Job) -> Job:
    return attrs.evolve(job, resources=attrs.evolve(job.resources, cpu_millicores=1_000_000))


def delete_pods(info: JobInfo) -> None:
    """As somebody does by hand."""
    for pod in pods_of(info.native.partition("/")[0]):
        admin().delete_pod(pod["metadata"]["name"])


def pods_of(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = admin().pods(selector({"job-name": name}), fresh=True)
    return found
