"""What a job's pod may do: pure translation.

https://kubernetes.io/docs/concepts/security/pod-security-standards/: a job with another user than
root, and on OpenShift one without a user, is *restricted*; a job of a root image is *baseline*.
(Volumes count too: hostPath is neither, nfs is no more than baseline.)
"""

from __future__ import annotations

from typing import Any

from pman_core import Job
from pman_k8s.platform import Platform

Payload = dict[str, Any]

#: What a root job keeps: it must write folders that pfcon owns, and may become another user.
_ROOT_KEEPS = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")


def runs_as_root(job: Job, platform: Platform) -> bool:
    """Whether the job is root, or may be because its image says so."""
    uid = job.user.uid if job.user else None
    return uid == 0 or (uid is None and not platform.gives_users)


def pod_security(job: Job, platform: Platform) -> Payload:
    """The ``securityContext`` of the pod."""
    context: Payload = {"seccompProfile": {"type": "RuntimeDefault"}}
    if not runs_as_root(job, platform):
        context["runAsNonRoot"] = True
    if job.user and job.user.uid is not None:
        context["runAsUser"] = job.user.uid
        if job.user.gid is not None:
            context["runAsGroup"] = job.user.gid
    return context


def container_security(job: Job, platform: Platform) -> Payload:
    """The ``securityContext`` of the container."""
    capabilities: Payload = {"drop": ["ALL"]}
    if runs_as_root(job, platform):
        capabilities["add"] = list(_ROOT_KEEPS)
    context: Payload = {"allowPrivilegeEscalation": False, "capabilities": capabilities}
    if job.user and job.user.uid is None and job.user.gid is not None:
        # Of a container kubelets know the image's user; a pod's sandbox has no image, and runtimes
        # refuse a group without a user.
        context["runAsGroup"] = job.user.gid
    return context
