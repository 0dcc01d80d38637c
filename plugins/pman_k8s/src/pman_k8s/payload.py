"""A job as a Job of Kubernetes: pure translation.

API reference, batch/v1 Job. A server drops fields that it does not know yet (podReplacementPolicy
came with 1.28, podFailurePolicy with 1.25), so its version is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pman_core import ClaimPath, HostPath, Job, Mount, NfsPath
from pman_core.contract.errors import UnsupportedError
from pman_core.kit.job_labels import job_labels
from pman_core.kit.names import JID_LABEL
from pman_k8s.escaping import escaped
from pman_k8s.labels import CONTAINER, labels_for
from pman_k8s.platform import Platform
from pman_k8s.pod_security import container_security, pod_security
from pman_k8s.settings import K8sSettings

Payload = dict[str, Any]

#: Seconds that a job which is ended has to clean up; with 0 nothing waits for its end.
_GRACE_S = 1

_SHM = "shm"


def job_payload(name: str, job: Job, settings: K8sSettings, platform: Platform) -> Payload:
    """The body of ``POST /apis/batch/v1/namespaces/NAMESPACE/jobs``."""
    spec: Payload = {
        "parallelism": job.resources.workers,
        "completions": job.resources.workers,
        "backoffLimit": 0,
        # A pod that vanishes or is evicted fails the job, and is not replaced.
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                }
            ]
        },
        "template": {
            "metadata": {
                "labels": labels_for(job, settings.instance),
                "annotations": {
                    JID_LABEL: job.jid,
                    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                },
            },
            "spec": _pod(job, settings, platform),
        },
    }
    if settings.job_ttl_s:
        spec["ttlSecondsAfterFinished"] = settings.job_ttl_s
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": labels_for(job, settings.instance),
            "annotations": job_labels(job, settings.instance),
        },
        "spec": spec,
    }


def _pod(job: Job, settings: K8sSettings, platform: Platform) -> Payload:
    volumes, places = _volumes(job.mounts, job.shm_mib)
    pod: Payload = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _GRACE_S,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(job, platform),
        "volumes": volumes,
        "containers": [
            {
                "name": CONTAINER,
                "image": job.image,
                "command": [escaped(word) for word in job.argv],
                "env": [{"name": key, "value": escaped(word)} for key, word in job.env.items()],
                "resources": {"limits": _limits(job, settings)},
                "volumeMounts": places,
                "securityContext": container_security(job, platform),
            }
        ],
    }
    if job.workdir is not None:
        pod["containers"][0]["workingDir"] = job.workdir
    if job.time_limit_s is not None:
        # On the pod: the time of the Job would also run while it waits for a node.
        pod["activeDeadlineSeconds"] = job.time_limit_s
    optional = {
        "nodeSelector": settings.node_selector,
        "tolerations": list(settings.tolerations or ()),
        "imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets or ()],
        "serviceAccountName": settings.service_account,
        "priorityClassName": settings.priority_class,
    }
    return {**pod, **{key: value for key, value in optional.items() if value}}


def _limits(job: Job, settings: K8sSettings) -> dict[str, str]:
    """The limits of the container; Kubernetes takes them for the requests, too."""
    asked = job.resources
    limits = {}
    if asked.cpu_millicores is not None:
        limits["cpu"] = f"{asked.cpu_millicores}m"
    if asked.memory_mib is not None:
        limits["memory"] = f"{asked.memory_mib}Mi"
    if asked.gpus:
        limits[settings.gpu_resource] = str(asked.gpus)
    return limits


def _volumes(mounts: Iterable[Mount], shm_mib: int | None) -> tuple[list[Payload], list[Payload]]:
    """``volumes`` of the pod, and ``volumeMounts`` of the container.

    A storebase is one volume however many of its directories are mounted.
    """
    volumes: dict[str, Payload] = {}
    places: list[Payload] = []
    for index, mount in enumerate(mounts):
        volume, sub_path = _source(mount)
        known = [name for name, other in volumes.items() if other == volume]
        name = known[0] if known else f"data-{index}"
        volumes[name] = volume
        place = {"name": name, "mountPath": mount.target, "readOnly": mount.read_only}
        places.append({**place, "subPath": sub_path} if sub_path else place)
    if shm_mib is not None:
        volumes[_SHM] = {"emptyDir": {"medium": "Memory", "sizeLimit": f"{shm_mib}Mi"}}
        places.append({"name": _SHM, "mountPath": "/dev/shm", "readOnly": False})  # noqa: S108
    return [{"name": name, **volume} for name, volume in volumes.items()], places


def _source(mount: Mount) -> tuple[Payload, str]:
    """A volume, and the directory in it.

    The volume is the storebase, where that is known: a kubelet opens the directory in it part by
    part, and refuses one that leads out of the volume, whatever takes its place meanwhile.
    """
    match mount.source:
        case ClaimPath(claim, sub_path):
            return {"persistentVolumeClaim": {"claimName": claim}}, sub_path
        case HostPath(path, within) as source:
            # With type Directory the kubelet reports a missing one; by default it would make it.
            volume = {"path": within or path, "type": "Directory"}
            return {"hostPath": volume}, source.sub_path
        case NfsPath(server, path, within) as source:
            if within:  # one volume to read and to write: the container's mount says which
                return {"nfs": {"server": server, "path": within}}, source.sub_path
            nfs = {"server": server, "path": path, "readOnly": mount.read_only}
            return {"nfs": nfs}, ""
        case other:
            raise UnsupportedError(f"Kubernetes cannot mount a {type(other).__name__}")
