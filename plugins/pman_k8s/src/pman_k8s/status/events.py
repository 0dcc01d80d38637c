"""What events add to the state of a job that waits, or has just begun: pure translation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pman_core import Reason
from pman_core.kit.causes import passing_cause
from pman_core.kit.times import parsed_time
from pman_k8s.labels import CONTAINER
from pman_k8s.status.pending import CONFIRM_S, NO_MEMORY, NO_POD, Waiting, image_waits

Object = Mapping[str, Any]

#: Warnings that delay nothing (``pkg/kubelet/events/event.go``). A pull that fails for want of a
#: pull secret has an event of its own.
_HARMLESS = (
    "AlreadyMountedVolume",
    "CheckLimitsForResolvConf",
    "DNSConfigForming",
    "FailedToRetrieveImagePullSecret",
    "MissingClusterDNS",
    "ProbeWarning",
    "Unhealthy",
)

#: Messages about what Pod Security, OpenShift or a LimitRange (of any resource) forbids.
_PERMANENT = re.compile(
    r"violates PodSecurity|security context constraint|(maximum|minimum) \S+ usage per"
    r"|max limit to request ratio per",
    re.IGNORECASE,
)

#: Messages that are permanent only if they last: a directory that is not there, on a node or server
#: that may have just started; OpenShift before it has read its constraints; a memory limit that is
#: too small for runc.
_PERMANENT_IF_IT_LASTS = re.compile(
    r"hostPath type check failed|reason given by server: No such file"
    rf"|security context constraint: \[\]|{NO_MEMORY}",
    re.IGNORECASE,
)

#: How the kubelet reports a failed pull (``pkg/kubelet/images/image_manager.go``).
_NOT_PULLED = re.compile(r'Failed to pull image "([^"]+)": (.*)', re.DOTALL)


def waiting_by_events(events: Iterable[Object], waiting: Waiting) -> Waiting:
    """What a job waits for, where its pods say too little; the latest useful event counts."""
    latest_first = list(events)[::-1]
    if waiting.image:
        return _why_not_pulled(latest_first, waiting)
    for event in latest_first:
        word, words = event.get("reason", ""), event.get("message", "")
        message = f"{word}: {words}"
        if word == "Pulling":
            return Waiting(message, Reason.PULLING)
        if word in ("Pulled", "Created"):
            return waiting  # an earlier obstacle is gone
        if event.get("type") == "Warning" and word not in _HARMLESS:
            return _warned(words, message, waiting)
    return waiting


def started_by_events(events: Iterable[Object]) -> datetime | None:
    """When the process of a job began; the status of its pod says so a second or two later."""
    for event in events:
        place = (event.get("involvedObject") or {}).get("fieldPath")
        if event.get("reason") == "Started" and place == f"spec.containers{{{CONTAINER}}}":
            return parsed_time(event.get("lastTimestamp") or event["metadata"]["creationTimestamp"])
    return None


def _warned(words: str, message: str, waiting: Waiting) -> Waiting:
    if passing_cause(words) is None:
        if _PERMANENT_IF_IT_LASTS.search(words):
            return Waiting(message, Reason.CANNOT_START, confirm_after_s=CONFIRM_S)
        if _PERMANENT.search(words):
            return Waiting(message, Reason.CANNOT_START)
    # Without a pod: a quota is used up, say.
    return Waiting(message, Reason.QUEUED if waiting == NO_POD else None)


def _why_not_pulled(latest_first: Iterable[Object], waiting: Waiting) -> Waiting:
    """Why the last pull failed, where the kubelet only says that it waits for the next one."""
    for event in latest_first:
        found = _NOT_PULLED.fullmatch(event.get("message", ""))
        # The kubelet may add the default tag.
        if found and found[1].removesuffix(":latest") == waiting.image.removesuffix(":latest"):
            return image_waits(waiting.image, found[2], waiting.prefix)
    return waiting
