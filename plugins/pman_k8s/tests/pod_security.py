"""The published rules that pods of a namespace must meet, as code.

https://kubernetes.io/docs/concepts/security/pod-security-standards/ (policy of 1.29), as far as
they are about Linux and about fields of a pod, and OpenShift's constraint restricted-v2 of 4.11 and
later (``oc get scc restricted-v2 -o yaml``). Each rule yields what is wrong.
"""

from collections.abc import Callable, Iterator
from typing import Any

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


def _pod_context(spec: Pod) -> dict[str, Any]:
    return spec.get("securityContext") or {}


def _containers(spec: Pod) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind, ()):
            yield container, container.get("securityContext") or {}
