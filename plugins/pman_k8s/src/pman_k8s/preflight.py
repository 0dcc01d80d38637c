"""What ``pman check`` asks the cluster: is it there, and has pman the permissions it needs?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pman_core.contract.errors import EngineUnavailableError
from pman_k8s.client import Cluster
from pman_k8s.errors import RefusedError
from pman_k8s.platform import OPENSHIFT, Platform

#: API group, resource, its part, verb.
Permission = tuple[str, str, str, str]

#: The permissions that pman needs in the namespace of the jobs.
REQUIRED: tuple[Permission, ...] = (
    *(("batch", "jobs", "", verb) for verb in ("create", "get", "list", "patch", "delete")),
    *(("", "pods", "", verb) for verb in ("get", "list")),
    ("", "pods", "log", "get"),
)

#: Permissions that it also uses there, and what is lost without them. The Role in deploy/kubernetes
#: has exactly these and those above; a Role that was made for pman 6 may lack these.
OPTIONAL: Mapping[Permission, str] = {
    ("", "pods", "", "patch"): "what runs on in the pod of an ended job, such as a sidecar, runs "
    "until the job is removed, and a job that is cancelled loses its log",
    ("", "pods", "", "delete"): "a pod that its node does not end cannot be removed by force",
    ("", "events", "", "list"): "the message of a job that waits may not say for what",
    ("", "persistentvolumeclaims", "", "get"): "it is not known here whether the claim is there",
}


def ping(cluster: Cluster, platform: Platform) -> str:
    """The cluster's name and version; then each note in a line of its own.

    :raises EngineUnavailableError: it does not answer, or pman lacks a permission that it needs.
    """
    version = cluster.version()
    lacking = [_named(*needed) for needed in REQUIRED if not _has(cluster, needed)]
    if lacking:
        raise EngineUnavailableError(
            f"pman lacks permissions in namespace {cluster.namespace}: {', '.join(lacking)}; "
            "the Role in deploy/kubernetes has them all"
        )
    title = f"{platform.name} {version} at {cluster.address}, namespace {cluster.namespace}"
    notes = [
        f"pman may not {_named(*wanted)} in namespace {cluster.namespace}, so {cost}; the Role in "
        "deploy/kubernetes allows it"
        for wanted, cost in OPTIONAL.items()
        if not _has(cluster, wanted)
    ]
    return "\n".join([title, *_wrong_platform(cluster, platform), *notes])


def _has(cluster: Cluster, wanted: Permission) -> bool:
    group, resource, part, verb = wanted
    return cluster.may(verb, group, resource, part)


def _named(group: str, resource: str, part: str, verb: str) -> str:
    """A permission, for messages."""
    return f"{verb} {resource}{part and '/' + part}{group and f' ({group})'}"


def _wrong_platform(cluster: Cluster, platform: Platform) -> Iterator[str]:
    """A note where CONTAINER_ENV names the other platform, if the server lists its API groups."""
    try:
        groups = cluster.api_groups()
    except RefusedError:
        return
    is_openshift = any(group.endswith(".openshift.io") for group in groups)
    if platform is OPENSHIFT and not is_openshift:
        yield (
            "it serves no API of OpenShift, and nothing gives jobs a user there: set "
            "CONTAINER_ENV=kubernetes"
        )
    if platform is not OPENSHIFT and is_openshift:
        yield (
            "it is OpenShift: set CONTAINER_ENV=openshift, so that a job without "
            "CONTAINER_USER gets a user of the project"
        )
