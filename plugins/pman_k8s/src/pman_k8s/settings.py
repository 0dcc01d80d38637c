"""The settings of this backend."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import environ

from pman_core.kit.settings import (
    EngineSettings,
    names,
    pairs,
    text,
    variable,
    whole_number,
)
from pman_k8s.label_syntax import is_object_name, is_qualified_name, label_faults

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")

Toleration = dict[str, str]


def tolerations(value: str) -> tuple[Toleration, ...]:
    """``key=value:Effect``, ``key:Effect``, ``key=value`` or ``key``, separated by commas."""
    return tuple(_toleration(word) for word in names(value))


def _toleration(word: str) -> Toleration:
    found = re.fullmatch(r"([^=:]+)(?:=([^=:]*))?(?::(\w+))?", word)
    if not found or (found[3] and found[3] not in _EFFECTS):
        raise ValueError(
            "must be tolerations like key=value:NoSchedule,key:NoExecute,key; effects are "
            + ", ".join(_EFFECTS)
        )
    key, wanted, effect = found.groups()
    made = {"key": key, "operator": "Exists" if wanted is None else "Equal"}
    if wanted is not None:
        made["value"] = wanted
    return {**made, "effect": effect} if effect else made


def node_labels(value: str) -> dict[str, str]:
    """Labels of nodes."""
    found = pairs(value)
    faults = list(label_faults(found))
    if faults:
        raise ValueError(f"must hold labels of Kubernetes: {'; '.join(faults)}")
    return found


def object_name(value: str) -> str:
    """The name of an object of Kubernetes."""
    if not is_object_name(value):
        raise ValueError("must be a name of Kubernetes: lower-case letters, digits, '-' and '.'")
    return value


def secret_names(value: str) -> tuple[str, ...]:
    """Names of secrets."""
    return tuple(object_name(name) for name in names(value))


def resource_name(value: str) -> str:
    """The name of an extended resource."""
    if "/" not in value or not is_qualified_name(value):
        raise ValueError("must be the name of a resource, like nvidia.com/gpu")
    return value


@environ.config(prefix="", frozen=True)
class ClaimSettings(EngineSettings):
    """Which claim holds the job data, for STORAGE_TYPE=kubernetes_pvc."""

    volume_name: str | None = variable(
        "VOLUME_NAME",
        text,
        None,
        "The PersistentVolumeClaim, in the namespace of the jobs, that holds all job data.",
    )


@environ.config(prefix="", frozen=True)
class K8sSettings(ClaimSettings):
    """How to reach the cluster, and what every job of it gets."""

    kubeconfig: str | None = variable(
        "KUBECONFIG",
        text,
        None,
        "The kubeconfig, or several separated by ':'. Unset means the pod that pman runs in; "
        "outside of a cluster ~/.kube/config.",
    )
    kubecfg_path: str | None = variable(
        "KUBECFG_PATH", text, None, "KUBECONFIG, by the name that OpenShift's backend once had."
    )
    job_namespace: str | None = variable(
        "JOB_NAMESPACE", object_name, None, "The namespace of the jobs; unset means default."
    )
    project: str | None = variable(
        "OPENSHIFTMGR_PROJECT", object_name, None, "JOB_NAMESPACE, by its older name on OpenShift."
    )
    node_selector: dict[str, str] | None = variable(
        "NODE_SELECTOR", node_labels, None, "Labels of nodes that jobs run on, key=value,key=value."
    )
    tolerations: tuple[Toleration, ...] | None = variable(
        "TOLERATIONS",
        tolerations,
        None,
        "Taints of nodes that jobs tolerate: key=value:NoSchedule,key:NoExecute,key.",
    )
    image_pull_secrets: tuple[str, ...] | None = variable(
        "IMAGE_PULL_SECRETS",
        secret_names,
        None,
        "Names of secrets with which images are pulled, separated by commas.",
    )
    service_account: str | None = variable(
        "SERVICE_ACCOUNT",
        object_name,
        None,
        "The service account of jobs; they get no token of it. Unset means default.",
    )
    priority_class: str | None = variable(
        "PRIORITY_CLASS", object_name, None, "The priority class of jobs."
    )
    job_ttl_s: int = variable(
        "JOB_TTL",
        whole_number(0),
        "0",
        "Seconds after its end at which Kubernetes removes a job by itself; 0 means never. A "
        "job that vanishes before its client has asked for it looks as if it never was.",
    )
    gpu_resource: str = variable(
        "GPU_RESOURCE", resource_name, "nvidia.com/gpu", "The resource that gpu_limit counts."
    )

    @property
    def namespace(self) -> str:
        """The namespace of the jobs."""
        return self.job_namespace or self.project or "default"

    @property
    def config_files(self) -> tuple[str, ...]:
        """The kubeconfig files that are set."""
        found = self.kubeconfig or self.kubecfg_path or ""
        return tuple(os.path.expanduser(part) for part in found.split(":") if part)

    def problems(self) -> Iterator[str]:
        """What is wrong with combinations of these variables."""
        if self.kubeconfig and self.kubecfg_path and self.kubeconfig != self.kubecfg_path:
            yield "KUBECONFIG and KUBECFG_PATH differ; keep KUBECONFIG"
        if self.job_namespace and self.project and self.job_namespace != self.project:
            yield "JOB_NAMESPACE and OPENSHIFTMGR_PROJECT differ; keep JOB_NAMESPACE"
        if self.config_files and not any(Path(path).is_file() for path in self.config_files):
            name = "KUBECONFIG" if self.kubeconfig else "KUBECFG_PATH"
            yield f"{name} is {':'.join(self.config_files)}, which is no file that can be seen"
