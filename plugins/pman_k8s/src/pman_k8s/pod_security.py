"""What a job's pod may do, and which level or constraint that needs: pure translation.

https://kubernetes.io/docs/concepts/security/pod-security-standards/; OpenShift, Managing security
context constraints. A job with another user than root, and on OpenShift one without a user, is
*restricted*; a job of a root image is *baseline*. Volumes count too: hostPath is neither, nfs is
*baseline* at best.
"""

from __future__ import annotations

from typing import Any

from pman_core import Job
from pman_core.kit.core_settings import CoreSettings
from pman_core.kit.root_capabilities import ROOT_CAPABILITIES
from pman_k8s.platform import Platform

Payload = dict[str, Any]

#: Where pman's own constraints are, for somebody who has a checkout.
_SHIPPED = "deploy/kubernetes/openshift/constraints"

_NO_USER = "it gives them no user, so set CONTAINER_USER: an image of root cannot start without it"

#: What the storage types mount, where that is known.
_CLAIMS, _NFS, _HOST = "kubernetes_pvc", "nfs", "host"


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
        capabilities["add"] = list(ROOT_CAPABILITIES)
    context: Payload = {"allowPrivilegeEscalation": False, "capabilities": capabilities}
    if job.user and job.user.uid is None and job.user.gid is not None:
        # On the container, whose user is the image's. A pod's sandbox has no image, and runtimes
        # refuse a group without a user.
        context["runAsGroup"] = job.user.gid
    return context


def required_level(platform: Platform, settings: CoreSettings) -> str:
    """Which level or constraint the pods of jobs need with these settings; for ``pman check``."""
    storage = settings.storage_type or _CLAIMS
    needed = _constraint if platform.gives_users else _level
    unknown = storage not in (_CLAIMS, _NFS, _HOST)
    doubt = f", if STORAGE_TYPE={storage} mounts nothing but claims" if unknown else ""
    return f"With these settings the pods of jobs {needed(settings, storage)}{doubt}."


def _level(settings: CoreSettings, storage: str) -> str:
    if storage == _HOST:
        return "need the privileged Pod Security level: STORAGE_TYPE=host mounts folders of nodes"
    baseline = "meet the baseline Pod Security level, and not restricted:"
    if storage == _NFS:
        return f"{baseline} STORAGE_TYPE=nfs"
    if _may_be_root(settings):
        return f"{baseline} they may be root, as CONTAINER_USER does not name another user"
    return "meet the restricted Pod Security level"


def _constraint(settings: CoreSettings, storage: str) -> str:
    """OpenShift's own constraints for root and folders of nodes never suffice.

    anyuid and hostmount-anyuid allow neither the seccomp profile of pman's pods nor the
    capabilities of its root jobs.
    """
    rule = settings.user_rule
    names_user = rule is not None and rule.uids is not None
    if storage in (_HOST, _NFS):
        what = "folders of nodes" if storage == _HOST else "nfs volumes"
        need = f"need the constraint pman-{storage} ({_SHIPPED}), as they mount {what}"
        return need if names_user else f"{need}; {_NO_USER}"
    if not names_user:
        return "meet the constraint restricted-v2: the project gives them a user"
    if _may_be_root(settings):
        return f"need the constraint pman-claims ({_SHIPPED}), as CONTAINER_USER lets them be root"
    return "need the constraint nonroot-v2: CONTAINER_USER names their user"


def _may_be_root(settings: CoreSettings) -> bool:
    rule = settings.user_rule
    return rule is None or rule.uids is None or rule.uids.low == 0
