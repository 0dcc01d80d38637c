"""What ``pman check`` asks: is the cluster there, and may pman do there what it must?"""

from __future__ import annotations

from pman_core.errors import EngineUnavailableError
from pman_k8s.cluster import Cluster
from pman_k8s.errors import Refused
from pman_k8s.platform import OPENSHIFT, Platform

#: What pman does in the namespace of the jobs: API group, resource, its part, verbs. The Role in
#: deploy/kubernetes has exactly these.
PERMISSIONS = (
    ("batch", "jobs", "", ("create", "get", "list", "patch", "delete")),
    ("", "pods", "", ("get", "list", "patch", "delete")),
    ("", "pods", "log", ("get",)),
    ("", "events", "", ("list",)),
    ("", "persistentvolumeclaims", "", ("get",)),
)


def ping(cluster: Cluster, platform: Platform) -> str:
    """The cluster's name and version, and whether it is the other platform.

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
    title = f"{platform.name} {version} at {cluster.address}, namespace {cluster.namespace}"
    return title + _wrong_platform(cluster, platform)


def _wrong_platform(cluster: Cluster, platform: Platform) -> str:
    """A hint where CONTAINER_ENV names the other platform, as far as the server tells."""
    try:
        groups = cluster.api_groups()
    except Refused:
        return ""
    is_openshift = any(group.endswith(".openshift.io") for group in groups)
    if platform is OPENSHIFT and not is_openshift:
        return (
            "; note: it serves no API of OpenShift, and nothing gives jobs a user there: set "
            "CONTAINER_ENV=kubernetes"
        )
    if platform is not OPENSHIFT and is_openshift:
        return (
            "; note: it is OpenShift: set CONTAINER_ENV=openshift, so that a job without "
            "CONTAINER_USER gets a user of the project"
        )
    return ""
