"""Why an engine cannot get an image, or cannot create or start a container now.

Engines and registries explain a failure in words only. This is the one table of these words, for
every engine: whether a cause is final or transient, and the reason and the wording that a
client gets. Backends look up what the engine said; they keep no lists of their own.

Sources: Docker Engine 20.10 to 28 (``distribution/errors.go``, ``registry``), containerd 1.6 to 2.1
(``remotes/docker``), Podman 4.3 to 5.8 (containers/image ``docker/errors.go``), the kubelet 1.20 to
1.36 (``pkg/kubelet/images``), the error codes of the OCI Distribution Specification 1.1, and Go's
``net`` and ``net/http``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

from pman_core.contract.info import Reason


@attrs.frozen
class Cause:
    """One row of the table.

    :param name: a word for programs and tests.
    :param is_final: whether waiting cannot help. What is not final is transient: it ends with time,
        or when the network, the registry or the machine is repaired.
    :param reason: of a job that failed, by a final cause; of a job that waits, by a transient one.
    :param wording: what it means, for a person.
    :param words: the engine's and the registry's own words.
    """

    name: str
    is_final: bool
    reason: Reason
    wording: str
    words: re.Pattern[str] = attrs.field(repr=False)


def _row(name: str, reason: Reason, wording: str, *words: str) -> Cause:
    is_final = reason is Reason.IMAGE_NOT_FOUND
    return Cause(name, is_final, reason, wording, re.compile("|".join(words), re.IGNORECASE))


#: What a machine runs out of. Never a bare word here: engines quote the paths and programs of jobs,
#: which may be called "timeout" or "database".
_MACHINE = (
    _row(
        "disk-full",
        Reason.QUEUED,
        "a disk of the engine is full",
        "no space left on device",
        "disk quota exceeded",
        "thin pool has",
    ),
    _row(
        "storage-trouble",
        Reason.QUEUED,
        "the engine's storage has a fault",
        "input/output error",
        "stale (nfs )?file handle",
        # the engine's own records: containerd, Podman (BoltDB, SQLite)
        "database (is|disk|or disk|connection)",
        "opening database",
    ),
    _row(
        "machine-exhausted",
        Reason.QUEUED,
        "the engine's machine has no room for it now",
        "cannot allocate memory",
        "too many open files",
        "resource temporarily unavailable",
    ),
)

_NETWORK = (
    _row(
        "registry-name-unknown",
        Reason.PULLING,
        "the registry's host name is not known",
        "no such host",
        "name or service not known",
        "server misbehaving",
        "temporary failure in name resolution",
        "could not resolve host",
        "no address associated",
    ),
    _row(
        "registry-not-reached",
        Reason.PULLING,
        "the registry cannot be reached",
        "connection (refused|reset|timed out|closed)",
        "no route to host",
        "(network|host) is (unreachable|down)",
        "network is unreachable",
        "broken pipe",
        "timed out",
        "deadline exceeded",
        "timeout exceeded",
        "(i/o|handshake|header) time-?out",
        r"unexpected eof\b",
        r"\beof$",
        r": eof\b",
        "proxyconnect",
        "http2: .*(goaway|connection lost)",
        "use of closed network connection",
    ),
)

#: Before the rows below: an answer that is no registry's may quote any of their words.
_REGISTRY_FAULTS = (
    _row(
        "too-many-requests",
        Reason.PULLING,
        "the registry asks to come back later",
        # the registry's own code; Docker Hub's rate limit; the bare status of a proxy
        "toomanyrequests",
        "too many requests",
        r"\b429\b",
        "pull rate limit",
        "pull QPS exceeded",
    ),
    _row(
        "no-registry-answer",
        Reason.PULLING,
        "what answered is no registry, or a broken one",
        # A proxy's or a portal's page: Go's JSON parser and containers/image quote it.
        "invalid character '<'",
        "<html",
        "<!doctype",
        "invalid character .* looking for beginning of value",
        "unexpected end of JSON input",
    ),
    _row(
        "registry-error",
        Reason.PULLING,
        "the registry has a fault of its own",
        r"(http status|status code|status)( from .*)?:? 5\d\d",
        r"\b50[0-9] [a-z]+ [a-z]+",
        "internal server error",
        "bad gateway",
        "service unavailable",
        "gateway time-?out",
        "unknown blob.*unknown error",
    ),
    _row(
        "image-damaged",
        Reason.PULLING,
        "the image was damaged on its way",
        "verification failed for digest",
        "layer verification failed",
        "digest (mismatch|verification failed|did not match)",
        "digest .* does not match",
        "does not match (its )?digest",
        "failed (commit|size validation)",
        "short read",
        "unexpected commit digest",
    ),
)

_IMAGE = (
    _row(
        "platform",
        Reason.IMAGE_NOT_FOUND,
        "there is no such image for the engine's platform",
        "no matching manifest for",
        "no match for platform in manifest",
        "no image found in (manifest list|image index)",
        "does not match the specified platform",
        "image operating system .* cannot be used on this platform",
        "does not provide the specified platform",
        "exec format of the image",
    ),
    _row(
        "image-form",
        Reason.IMAGE_NOT_FOUND,
        "the image has a form that the engine cannot read",
        "schema ?(version )?1 .*(removed|deprecated|not supported|unsupported)",
        "unsupported (manifest|media ?type|schema)",
        "unsupported docker v1",
        "encountered remote .* when fetching",
    ),
    _row(
        "registry-untrusted",
        Reason.IMAGE_NOT_FOUND,
        "the engine does not trust the registry",
        "x509: ",
        "certificate (signed by|verify failed|has expired)",
        "server gave http response to https client",
        "first record does not look like a tls handshake",
    ),
    _row(
        "access-denied",
        Reason.IMAGE_NOT_FOUND,
        "the registry refuses access: there is no such image, or a login is missing or wrong",
        "pull access denied",
        "unauthorized",
        "authentication required",
        "no basic auth credentials",
        "authorization failed",
        "requested access to the resource is denied",
        r"(?<!permission )\bdenied(: |$)",
        "insufficient_scope",
        r"\b40[13] (forbidden|unauthorized)",
        r"(http status|status code|status)( from .*)?:? 40[13]",
        "access (is )?denied",
        "forbidden",
    ),
    _row(
        "no-such-image",
        Reason.IMAGE_NOT_FOUND,
        "there is no such image",
        "manifest unknown",
        r"manifest for \S+ not found",
        "name unknown",
        "name_unknown",
        "repository name not known",
        r"repository \S+ (not found|does not exist)",
        r"\S+: not found\b",
        "failed to resolve reference .*not found",
        "no such image",
        "image not known",
        "tag does not exist",
        r"status( code)?( from .*)?:? 404",
        r"404 not found",
    ),
    _row(
        "image-name",
        Reason.IMAGE_NOT_FOUND,
        "that is no name of an image",
        "invalid reference format",
        "invalid repository name",
        "invalidimagename",
        "repository name must be lowercase",
        "couldn't parse image",
    ),
)

#: Any other words about an image: it is not known that they are final.
_UNKNOWN = Cause("unknown", False, Reason.PULLING, "the engine cannot get it", re.compile(""))

#: Why an image cannot be had: the first row that fits counts, and the last one fits always. For
#: backends whose nodes look for themselves; others call :func:`pull_cause`.
PULL_CAUSES = (*_MACHINE, *_REGISTRY_FAULTS, *_NETWORK, *_IMAGE, _UNKNOWN)


def pull_cause(words: str) -> Cause:
    """Why an image cannot be had; unknown words count as transient.

    :param words: what the engine said of its last attempt.
    """
    return _first(PULL_CAUSES, words) or _UNKNOWN


def passing_cause(words: str) -> Cause | None:
    """Why a container cannot be created or started *now*; ``None`` if the words name no such cause.

    An engine quotes a job's paths and programs here, so only words of machine and network count.
    """
    return _first((*_MACHINE, *_NETWORK), words)


def cause_named(name: str) -> Cause:
    """The row of that name.

    :raises KeyError: there is none.
    """
    return {row.name: row for row in PULL_CAUSES}[name]


def pull_message(image: str, words: str) -> str:
    """The same sentence on every engine: what cannot be had, why, and the engine's own words."""
    return f"cannot get image {image}: {pull_cause(words).wording} ({words.strip()})"


def _first(rows: Iterable[Cause], words: str) -> Cause | None:
    return next((row for row in rows if row.words.search(words)), None)
