"""What ``pman check`` asks: is the cluster there, and may pman do there what it must?"""

from __future__ import annotations

from pman_core.errors import EngineUnavailableError
from pman_k8s.cluster import Cluster

#: What pman does in the namespace of the jobs: API group, resource, its part, verbs. The Role in
#: deploy/kubernetes has exactly these.
PERMISSIONS = (
    ("batch", "jobs", "", ("create", "get", "list", "patch", "delete")),
    ("", "pods", "", ("get", "list", "patch", "delete")),
    ("", "pods", "log", ("get",)),
    ("", "events", "", ("list",)),
    ("", "persistentvolumeclaims", "", ("get",)),
)


def ping(cluster: Cluster, title: str) -> str:
    """The cluster's name and version.

    :raises EngineUnavailableError: it does not answer, or pman lacks a permission.
    """
    version = cluster.version()
    lacking = [
        f"{verb} {resource}{part and '/' + part}{group and f' ({group})'}"
        for group, resource, part, verbs in PERMISSIONS
        for verb in verbs
        if not cluster.may(verb, group, resource, part)
    ]
    if lacking:
        raise EngineUnavailableError(
            f"pman lacks permissions in namespace {cluster.namespace}: {', '.join(lacking)}; "
            "the Role in deploy/kubernetes has them all"
        )
    return f"{title} {version} at {cluster.address}, namespace {cluster.namespace}"
