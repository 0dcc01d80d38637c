"""What a job waits for, and whether that can ever end: pure translation.

Why an image cannot be pulled, and which causes are transient, is in the kit's table of causes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from pman_core import Reason
from pman_core.kit.causes import passing_cause, pull_cause, pull_message

Object = Mapping[str, Any]

#: Reasons for an image that could not be pulled just now (``pkg/kubelet/images/types.go``).
_NO_IMAGE = (
    "ErrImagePull",
    "ImagePullBackOff",
    "ImageInspectError",
    "InvalidImageName",
    "RegistryUnavailable",
    "SignatureValidationFailed",
)

#: The kubelet waits for its next attempt; until 1.30 it does not say why the last one failed.
_BACK_OFF = "ImagePullBackOff"

#: Reasons that are permanent.
_NEVER = ("ErrImageNeverPull",)

#: Messages of containers that are permanent: no such program, a root image that may not be root, a
#: colon in a path of the node (Docker's form of a mount; containerd and CRI-O take any path), a
#: file where the working directory should be.
_PERMANENT = re.compile(
    r"executable file.*not found|exec format error|exec: .*: stat .*no such file"
    r"|exec.*permission denied|runAsNonRoot|invalid volume specification|invalid mode: /"
    r"|Cannot mkdir: .* is not a directory",
    re.IGNORECASE | re.DOTALL,
)

#: What runc (1.1 and later) says where it does not fit into the memory limit of a job. It may be
#: transient: the machine itself may have been out of memory.
NO_MEMORY = r"container init was OOM-killed"

#: Messages that are permanent only if they last: a directory of the storebase cannot be made, leads
#: out of it, or its server does not answer.
_PERMANENT_IF_IT_LASTS = re.compile(
    rf"(create|prepare) subPath|stat .*no such file|{NO_MEMORY}", re.IGNORECASE | re.DOTALL
)

#: Seconds after which such a message is taken for permanent: the kubelet tries again every few
#: seconds.
CONFIRM_S = 60

#: Seconds after which a registry's refusal of access is taken for permanent. A new node may not
#: have its credentials yet; the kubelet tries again after 10 s and after 20 s more.
_CONFIRM_ACCESS_DENIED_S = 30


@attrs.frozen
class Waiting:
    """What a job waits for.

    :param is_vague: whether events may say more.
    :param confirm_after_s: how long the cluster must have tried until a permanent cause counts.
    :param image: the image that could not be pulled, if it waits for one.
    :param words: the engine's words alone, where ``message`` has more.
    :param prefix: how the message begins if another container than the job's waits.
    """

    message: str
    reason: Reason | None = None
    is_vague: bool = False
    confirm_after_s: int = 0
    image: str = ""
    words: str = ""
    prefix: str = ""

    @property
    def is_permanent(self) -> bool:
        """Whether the job can never start, if this lasts."""
        return self.reason in (Reason.CANNOT_START, Reason.IMAGE_NOT_FOUND)

    def unconfirmed(self) -> Waiting:
        """The same while it may still be transient."""
        return attrs.evolve(
            self,
            message=self.prefix + self.words if self.words else self.message,
            reason=Reason.PULLING if self.image else None,
        )


NO_POD = Waiting("no pod yet", is_vague=True)


def container_waits(status: Object, prefix: str = "") -> Waiting:
    """What a container waits for that is not made yet.

    :param prefix: how messages of another container than the job's begin.
    """
    waiting = status["state"]["waiting"]
    word, words = waiting["reason"], waiting.get("message") or ""
    said = f"{word}: {words}" if words else word
    message = prefix + said
    if word in _NO_IMAGE:
        found = image_waits(status.get("image", ""), said, prefix)
        is_vague = word == _BACK_OFF and pull_cause(said).name == "unknown"
        return attrs.evolve(found, is_vague=is_vague)
    if word not in _NEVER and passing_cause(words):
        return Waiting(message)
    if word in _NEVER or _PERMANENT.search(words):
        return Waiting(message, Reason.CANNOT_START)
    if _PERMANENT_IF_IT_LASTS.search(words):
        return Waiting(message, Reason.CANNOT_START, confirm_after_s=CONFIRM_S)
    return Waiting(message, is_vague=word in ("ContainerCreating", "PodInitializing"))


def image_waits(image: str, words: str, prefix: str = "") -> Waiting:
    """What the words of the last attempt to pull an image mean."""
    cause = pull_cause(words)
    return Waiting(
        prefix + pull_message(image, words),
        cause.reason,
        confirm_after_s=_CONFIRM_ACCESS_DENIED_S if cause.name == "access-denied" else 0,
        image=image,
        words=words,
        prefix=prefix,
    )


def pod_waits(status: Object) -> Waiting:
    """What a pod waits for that has no container yet."""
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            words = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
            return Waiting(words or "it has no node yet", Reason.QUEUED)
    return Waiting("ContainerCreating" if status.get("startTime") else "Pending", is_vague=True)
