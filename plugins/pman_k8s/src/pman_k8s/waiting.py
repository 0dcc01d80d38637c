"""What a job waits for, and which waiting is in vain: pure translation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from pman_core import Reason

Object = Mapping[str, Any]

#: Words for an image that cannot be had now (``pkg/kubelet/images/types.go``).
_NO_IMAGE = (
    "ErrImagePull",
    "ImagePullBackOff",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
)

#: Words for what no waiting mends.
_NEVER = ("InvalidImageName", "ErrImageNeverPull")

#: Messages of containers that say the same: no such program, a root image that may not be root.
_CONTAINER_IN_VAIN = re.compile(
    r"executable file.*not found|exec format error|exec: .*: stat .*no such file"
    r"|exec.*permission denied|runAsNonRoot",
    re.IGNORECASE | re.DOTALL,
)

#: Of a directory of a claim that cannot be made, or of a server that does not answer just now.
_PERHAPS_IN_VAIN = re.compile(
    r"(create|prepare) subPath|stat .*no such file", re.IGNORECASE | re.DOTALL
)

#: Seconds after which that is no hiccup: the kubelet tries again every few seconds.
_HICCUP_S = 60

#: Messages of events: what Pod Security, OpenShift or a LimitRange forbid.
_POD_IN_VAIN = re.compile(
    r"violates PodSecurity|security context constraint|(maximum|minimum) (cpu|memory) usage per",
    re.IGNORECASE,
)

#: Likewise: a directory that is not there, on a node or server that may have just started, and
#: OpenShift before it has read its constraints.
_POD_PERHAPS_IN_VAIN = re.compile(
    r"hostPath type check failed|reason given by server: No such file"
    r"|security context constraint: \[\]",
    re.IGNORECASE,
)


@attrs.frozen
class Waiting:
    """What a job waits for.

    :param is_vague: whether events may tell more.
    :param patience_s: how long the cluster must have tried before a refusal is believed.
    """

    message: str
    reason: Reason | None = None
    is_vague: bool = False
    patience_s: int = 0

    @property
    def is_in_vain(self) -> bool:
        """Whether the engine has refused it for good, if that lasts."""
        return self.reason is Reason.CANNOT_START


NO_POD = Waiting("no pod yet", is_vague=True)


def container_waits(waiting: Object) -> Waiting:
    """A container that is not made yet."""
    word, words = waiting["reason"], waiting.get("message") or ""
    message = f"{word}: {words}" if words else word
    if word in _NO_IMAGE:
        return Waiting(message, Reason.IMAGE_NOT_FOUND)
    if word in _NEVER or _CONTAINER_IN_VAIN.search(words):
        return Waiting(message, Reason.CANNOT_START)
    if _PERHAPS_IN_VAIN.search(words):
        return Waiting(message, Reason.CANNOT_START, patience_s=_HICCUP_S)
    return Waiting(message, is_vague=word in ("ContainerCreating", "PodInitializing"))


def pod_waits(status: Object) -> Waiting:
    """A pod that has no container yet."""
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            words = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
            return Waiting(words or "it has no node yet", Reason.QUEUED)
    return Waiting("ContainerCreating" if status.get("startTime") else "Pending", is_vague=True)


def told_by_events(events: Iterable[Object], waiting: Waiting) -> Waiting:
    """What events tell of a waiting that is vague; the latest that is of use counts."""
    for event in reversed(list(events)):
        word, words = event.get("reason", ""), event.get("message", "")
        message = f"{word}: {words}"
        if word == "Pulling":
            return Waiting(message, Reason.PULLING)
        if word in ("Pulled", "Created"):
            return waiting  # what kept it before is over
        if event.get("type") == "Warning":
            if _POD_PERHAPS_IN_VAIN.search(words):
                return Waiting(message, Reason.CANNOT_START, patience_s=_HICCUP_S)
            if _POD_IN_VAIN.search(words):
                return Waiting(message, Reason.CANNOT_START)
            # Without a pod: a quota is used up, say.
            return Waiting(message, Reason.QUEUED if waiting == NO_POD else None)
    return waiting
