"""Which Pod Security level, or which constraint of OpenShift, the pods of jobs need.

https://kubernetes.io/docs/concepts/security/pod-security-standards/; OpenShift, Managing security
context constraints. Both follow from the user and the volumes; the rest is in ``pod_security.py``.
"""

from __future__ import annotations

from pman_core.kit.core_settings import CoreSettings
from pman_k8s.platform import Platform

#: Where pman's own constraints are, for somebody who has a checkout.
_SHIPPED = "deploy/kubernetes/openshift/constraints"

_NO_USER = "it gives them no user, so set CONTAINER_USER: an image of root cannot start without it"

#: What the storage types mount, where that is known.
_CLAIMS, _NFS, _HOST = "kubernetes_pvc", "nfs", "host"


def required_level(platform: Platform, settings: CoreSettings) -> str:
    """What ``pman check`` says of it, for these settings."""
    storage = settings.storage_type or _CLAIMS
    told = _constraint if platform.gives_users else _level
    unknown = storage not in (_CLAIMS, _NFS, _HOST)
    doubt = f", if STORAGE_TYPE={storage} mounts nothing but claims" if unknown else ""
    return f"With these settings the pods of jobs {told(settings, storage)}{doubt}."


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
    """OpenShift's own that allow root or folders of nodes (anyuid, hostmount-anyuid) never suffice.

    They allow neither the seccomp profile of pman's pods nor the capabilities of its root jobs.
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
