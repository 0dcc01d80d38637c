"""Which texts Kubernetes takes for names of objects, and for keys and values of labels.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_MAX_CHARS = 63
_PART = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

#: Keys that the Job controller sets itself.
_CONTROLLERS = ("controller-uid", "job-name")


def is_object_name(value: str) -> bool:
    """Whether a text is the name of an object (RFC 1123 subdomain)."""
    return len(value) <= 253 and bool(_DOMAIN.fullmatch(value))


def is_qualified_name(value: str) -> bool:
    """Whether a text is a name with an optional domain before it, as keys of labels are."""
    domain, slash, name = value.rpartition("/")
    if slash and not is_object_name(domain):
        return False
    return len(name) <= _MAX_CHARS and bool(_PART.fullmatch(name))


def label_faults(labels: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with labels, a sentence for each fault."""
    for key, value in labels.items():
        if not is_qualified_name(key):
            yield f"{key!r} is no key of a label (name, or domain/name)"
        if value and not (len(value) <= _MAX_CHARS and _PART.fullmatch(value)):
            yield (
                f"{value!r} is no value of a label (up to {_MAX_CHARS} letters, digits and inner "
                "'-', '_' and '.')"
            )


def is_reserved(key: str) -> bool:
    """Whether a label is one that Kubernetes sets itself on the pods of a Job."""
    return key in _CONTROLLERS or key.partition("/")[0].endswith(("kubernetes.io", "k8s.io"))
