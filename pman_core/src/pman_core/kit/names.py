"""Ids of jobs: which are allowed, and by what name an engine carries them."""

from __future__ import annotations

import hashlib
import re

from pman_core.contract.job import MAX_JID_LENGTH, RESERVED_JIDS
from pman_core.kit.printable import holds_hidden

#: The instance whose jobs keep their plain names.
DEFAULT_INSTANCE = "pman"

#: Keys under which backends store what they must give back; they are valid label keys
#: for Docker, Podman, Swarm, Kubernetes and Cromwell alike.
LABEL_PREFIX = "pman.chrisproject.org/"
JID_LABEL = LABEL_PREFIX + "jid"
INSTANCE_LABEL = LABEL_PREFIX + "instance"
FINGERPRINT_LABEL = LABEL_PREFIX + "fingerprint"

_HASH_LENGTH = 16
# At least two characters: Docker takes no name of one.
_PLAIN = re.compile(r"[a-z0-9][a-z0-9-]*[a-z0-9]")
_LOOKS_DERIVED = re.compile(rf".*-[0-9a-f]{{{_HASH_LENGTH}}}")


def jid_fault(jid: str) -> str | None:
    """What is wrong with ``jid``, in words for the client; ``None`` if nothing is."""
    if not jid:
        return "must not be empty"
    if len(jid) > MAX_JID_LENGTH:
        return f"must be at most {MAX_JID_LENGTH} characters long, this one has {len(jid)}"
    if "/" in jid:
        return "must not contain '/'"
    if holds_hidden(jid):
        return "must not contain control characters or other invisible characters"
    if jid in RESERVED_JIDS:
        return f"must not be one of {', '.join(sorted(RESERVED_JIDS))}: these are reserved"
    return None


def native_name(jid: str, instance: str = DEFAULT_INSTANCE, max_length: int = 63) -> str:
    """The name under which an engine carries the job ``jid`` of ``instance``.

    The result is a DNS label (RFC 1123), which every engine that we know accepts. Different
    jobs get different names: an id that is valid, short and does not look like a derived
    name stays as it is; any other becomes a readable part and a hash of instance and id.
    Store the true id beside it and compare that at every read.

    :param max_length: the longest name that the engine takes, at least 20.
    """
    plain = _PLAIN.fullmatch(jid) and not _LOOKS_DERIVED.fullmatch(jid)
    if plain and len(jid) <= max_length and instance == DEFAULT_INSTANCE:
        return jid
    digest = hashlib.sha256(f"{instance}/{jid}".encode()).hexdigest()[:_HASH_LENGTH]
    slug = re.sub(r"[^a-z0-9]+", "-", jid.lower()).strip("-")
    slug = slug[: max_length - _HASH_LENGTH - 1].strip("-") or "job"
    return f"{slug}-{digest}"
