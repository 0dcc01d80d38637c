"""The published rules that pods of a namespace must meet, as code.

https://kubernetes.io/docs/concepts/security/pod-security-standards/ (policy of 1.29), as far as
they are about Linux and about fields of a pod, and OpenShift's constraint restricted-v2 of 4.11 and
later (``oc get scc restricted-v2 -o yaml``). Each rule yields what is wrong.
"""

from collections.abc import Callable, Iterator
from typing import Any

import yaml
from k8s_cluster import ROOT

Pod = dict[str, Any]
Rule = Callable[[Pod], Iterator[str]]

_BASELINE_CAPABILITIES = {
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
    "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}  # fmt: skip
_RESTRICTED_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
    "projected", "secret",
}  # fmt: skip
_SECCOMP = ("RuntimeDefault", "Localhost")


def baseline(spec: Pod) -> Iterator[str]:
    """The level Baseline."""
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{field} is set"
    if any("hostPath" in volume for volume in spec.get("volumes", ())):
        yield "hostPath volumes are forbidden"
    if _pod_context(spec).get("seccompProfile", {}).get("type") == "Unconfined":
        yield "seccompProfile must not be Unconfined"
    if _pod_context(spec).get("sysctls"):
        yield "sysctls are limited"
    for container, context in _containers(spec):
        if context.get("privileged"):
            yield "privileged is set"
        added = set(context.get("capabilities", {}).get("add", ()))
        if not added <= _BASELINE_CAPABILITIES:
            yield f"capabilities {sorted(added - _BASELINE_CAPABILITIES)} are added"
        if any(port.get("hostPort") for port in container.get("ports", ())):
            yield "hostPort is set"
        if context.get("procMount", "Default") != "Default":
            yield "procMount is set"
        if context.get("seccompProfile", {}).get("type") == "Unconfined":
            yield "seccompProfile must not be Unconfined"


def restricted(spec: Pod) -> Iterator[str]:
    """The level Restricted."""
    yield from baseline(spec)
    for volume in spec.get("volumes", ()):
        if not volume.keys() - {"name"} <= _RESTRICTED_VOLUMES:
            yield f"volume {volume} is of a forbidden type"
    pod = _pod_context(spec)
    if pod.get("runAsUser") == 0:
        yield "runAsUser must not be 0"
    for _, context in _containers(spec):
        if context.get("allowPrivilegeEscalation") is not False:
            yield "allowPrivilegeEscalation must be false"
        if not context.get("runAsNonRoot", pod.get("runAsNonRoot")):
            yield "runAsNonRoot must be true"
        if context.get("runAsUser") == 0:
            yield "runAsUser must not be 0"
        seccomp = context.get("seccompProfile") or pod.get("seccompProfile") or {}
        if seccomp.get("type") not in _SECCOMP:
            yield f"seccompProfile must be one of {_SECCOMP}"
        capabilities = context.get("capabilities", {})
        if "ALL" not in capabilities.get("drop", ()):
            yield "ALL capabilities must be dropped"
        if not set(capabilities.get("add", ())) <= {"NET_BIND_SERVICE"}:
            yield "only NET_BIND_SERVICE may be added"


def restricted_v2(spec: Pod) -> Iterator[str]:
    """OpenShift's constraint for everybody: the user is the namespace's own."""
    yield from baseline(spec)
    for volume in spec.get("volumes", ()):
        if not volume.keys() - {"name"} <= _RESTRICTED_VOLUMES:
            yield f"volume {volume} is of a forbidden type"
    for context in (_pod_context(spec), *(context for _, context in _containers(spec))):
        if "runAsUser" in context:
            yield "runAsUser must be left to the namespace"
        if context.get("seccompProfile", {}).get("type", "RuntimeDefault") != "RuntimeDefault":
            yield "seccompProfile must be RuntimeDefault"
    for _, context in _containers(spec):
        if context.get("allowPrivilegeEscalation") is not False:
            yield "allowPrivilegeEscalation must be false"
        if not set(context.get("capabilities", {}).get("add", ())) <= {"NET_BIND_SERVICE"}:
            yield "only NET_BIND_SERVICE may be added"
        if "ALL" not in context.get("capabilities", {}).get("drop", ()):
            yield "ALL capabilities must be dropped"


#: Constraints of OpenShift 4.11 and later (``oc get scc NAME -o yaml``), as far as
#: ``admitted_by`` reads them, and pman's own; those that grant less come first.
_V2: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "allowHostDirVolumePlugin": False,
    "allowedCapabilities": ["NET_BIND_SERVICE"],
    "requiredDropCapabilities": ["ALL"],
    "seccompProfiles": ["runtime/default"],
    "volumes": sorted(_RESTRICTED_VOLUMES),
}
_OLD: dict[str, Any] = {
    "allowPrivilegeEscalation": True,
    "allowHostDirVolumePlugin": False,
    "allowedCapabilities": None,
    "requiredDropCapabilities": ["MKNOD"],
    "seccompProfiles": None,
    "volumes": sorted(_RESTRICTED_VOLUMES),
}


def _shipped(name: str) -> dict[str, Any]:
    folder = ROOT / "deploy" / "kubernetes" / "openshift" / "constraints"
    return dict(yaml.safe_load((folder / f"{name}.yaml").read_text()))


SCCS: dict[str, dict[str, Any]] = {
    "restricted-v2": {**_V2, "runAsUser": {"type": "MustRunAsRange"}},
    "nonroot-v2": {**_V2, "runAsUser": {"type": "MustRunAsNonRoot"}},
    "anyuid": {**_OLD, "runAsUser": {"type": "RunAsAny"}},
    "hostmount-anyuid": {
        **_OLD,
        "allowHostDirVolumePlugin": True,
        "runAsUser": {"type": "RunAsAny"},
        "volumes": [*sorted(_RESTRICTED_VOLUMES), "hostPath", "nfs"],
    },
    **{name: _shipped(name) for name in ("pman-claims", "pman-nfs", "pman-host")},
}


def admitted_by(scc: dict[str, Any]) -> Rule:
    """The rule of a constraint, as OpenShift's admission (apiserver-library-go) reads it."""

    def rule(spec: Pod) -> Iterator[str]:
        for volume in spec.get("volumes", ()):
            (kind,) = volume.keys() - {"name"}
            is_host = kind == "hostPath" and not scc["allowHostDirVolumePlugin"]
            if kind not in scc["volumes"] or is_host:
                yield f"volumes of type {kind} are not allowed"
        yield from _user_faults(scc["runAsUser"]["type"], _pod_context(spec))
        profile = _pod_context(spec)["seccompProfile"]["type"]
        if profile != "RuntimeDefault" or "runtime/default" not in (scc["seccompProfiles"] or ()):
            yield f"seccomp profile {profile} is not allowed"
        for _, context in _containers(spec):
            capabilities = context["capabilities"]
            added = set(capabilities.get("add", ())) - set(scc["allowedCapabilities"] or ())
            if added:
                yield f"capabilities {sorted(added)} may not be added"
            if not set(scc["requiredDropCapabilities"]) <= {*capabilities["drop"], "MKNOD"}:
                yield "capabilities must be dropped"
            if context["allowPrivilegeEscalation"] and not scc["allowPrivilegeEscalation"]:
                yield "privileges may not be gained"

    return rule


def _user_faults(strategy: str, context: dict[str, Any]) -> Iterator[str]:
    user = context.get("runAsUser")
    if strategy == "MustRunAsRange" and user is not None:
        yield "the user must be left to the namespace"
    if strategy == "MustRunAsNonRoot" and (user == 0 or not context.get("runAsNonRoot")):
        yield "the user may not be root"
    if strategy != "MustRunAsRange" and user is None and context.get("runAsNonRoot"):
        yield "the constraint gives no user, and the image may be root"


def _pod_context(spec: Pod) -> dict[str, Any]:
    return spec.get("securityContext") or {}


def _containers(spec: Pod) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind, ()):
            yield container, container.get("securityContext") or {}
