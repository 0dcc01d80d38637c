"""Which Pod Security level, or which constraint of OpenShift, the pods of jobs need.

https://kubernetes.io/docs/concepts/security/pod-security-standards/; OpenShift, Managing security
context constraints. Both follow from the user and the volumes; the rest is in ``security.py``.
"""

from __future__ import annotations

from pman_core.core_settings import CoreSettings
from pman_k8s.platform import Platform

#: What the storage types mount, where that is known.
_CLAIMS, _NFS, _HOST = "kubernetes_pvc", "nfs", "host"


def level_note(platform: Platform, settings: CoreSettings) -> str:
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
    if storage == _HOST:
        return "need the constraint hostmount-anyuid: STORAGE_TYPE=host mounts folders of nodes"
    nfs = ", and it must allow nfs volumes" if storage == _NFS else ""
    rule = settings.user_rule
    if rule is None or rule.uids is None:
        return f"meet the constraint restricted-v2{nfs}: the project gives them a user"
    name = "anyuid" if _may_be_root(settings) else "nonroot-v2"
    return f"need the constraint {name}{nfs}: CONTAINER_USER names their user"


def _may_be_root(settings: CoreSettings) -> bool:
    rule = settings.user_rule
    return rule is None or rule.uids is None or rule.uids.low == 0
