"""What events tell of a job that waits, or has just begun: pure translation."""

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

#: Warnings that hold up nothing (``pkg/kubelet/events/event.go``). What comes of a pull secret that
#: is missing has an event of its own.
_HARMLESS = (
    "AlreadyMountedVolume",
    "CheckLimitsForResolvConf",
    "DNSConfigForming",
    "FailedToRetrieveImagePullSecret",
    "MissingClusterDNS",
    "ProbeWarning",
    "Unhealthy",
)

#: Messages of what Pod Security, OpenShift or a LimitRange (of any resource) forbid.
_PERMANENT = re.compile(
    r"violates PodSecurity|security context constraint|(maximum|minimum) \S+ usage per"
    r"|max limit to request ratio per",
    re.IGNORECASE,
)

#: Likewise: a directory that is not there, on a node or server that may have just started,
#: OpenShift before it has read its constraints, and a memory limit that is too small for runc.
_PERMANENT_IF_IT_LASTS = re.compile(
    r"hostPath type check failed|reason given by server: No such file"
    rf"|security context constraint: \[\]|{NO_MEMORY}",
    re.IGNORECASE,
)

#: How the kubelet tells of an attempt to get an image (``pkg/kubelet/images/image_manager.go``).
_NOT_PULLED = re.compile(r'Failed to pull image "([^"]+)": (.*)', re.DOTALL)


def waiting_by_events(events: Iterable[Object], waiting: Waiting) -> Waiting:
    """What events tell of a waiting that is vague; the latest that is of use counts."""
    latest_first = list(events)[::-1]
    if waiting.image:
        return _why_not_pulled(latest_first, waiting)
    for event in latest_first:
        word, words = event.get("reason", ""), event.get("message", "")
        message = f"{word}: {words}"
        if word == "Pulling":
            return Waiting(message, Reason.PULLING)
        if word in ("Pulled", "Created"):
            return waiting  # what kept it before is over
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
    """What the last attempt met, where the kubelet says only that it waits for the next one."""
    for event in latest_first:
        found = _NOT_PULLED.fullmatch(event.get("message", ""))
        # The kubelet may name the tag that is the default.
        if found and found[1].removesuffix(":latest") == waiting.image.removesuffix(":latest"):
            return image_waits(waiting.image, found[2], waiting.prefix)
    return waiting
