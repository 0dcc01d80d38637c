"""The table of causes: what engines and registries say, and what it means.

The words were seen with Docker 20.10, 26.1 and 28.5, Podman 4.3, 5.4 and 5.8, and containerd 2.1.
"""

import pytest

from pman_core.contract.info import Reason
from pman_core.kit.causes import Cause, cause_named, passing_cause, pull_cause, pull_message
from pman_core.testing.faulty_registry import FAULTS

PAGE = "<html><head><title>Access denied</title></head><body>503 unauthorized</body></html>"

PULLS = {
    # Docker
    "manifest for localhost:5000/x:1 not found: manifest unknown: manifest unknown": (
        "no-such-image"
    ),
    "name unknown": "no-such-image",
    "No such image: nosuch/image:1": "no-such-image",
    "pull access denied for x, repository does not exist or may require 'docker login': denied: "
    "requested access to the resource is denied": "access-denied",
    "unauthorized: authentication required": "access-denied",
    'Head "http://localhost:5000/v2/x/manifests/1": no basic auth credentials': "access-denied",
    "denied": "access-denied",
    "no matching manifest for linux/amd64 in the manifest list entries": "platform",
    "toomanyrequests: You have reached your pull rate limit.": "too-many-requests",
    f"error parsing HTTP 403 response body: invalid character '<' looking for beginning of value: "
    f'"{PAGE}"': "no-registry-answer",
    "received unexpected HTTP status: 503 Service Unavailable": "registry-error",
    'Get "http://localhost:5000/v2/": EOF': "registry-not-reached",
    'Get "https://r/v2/": dial tcp 10.0.0.1:443: connect: connection refused': (
        "registry-not-reached"
    ),
    'Get "https://r/v2/": net/http: TLS handshake timeout': "registry-not-reached",
    'Get "https://r/v2/": dial tcp: lookup r on 10.0.0.1:53: read udp 10.0.0.2:1->10.0.0.1:53: '
    "i/o timeout": "registry-not-reached",
    'Get "https://r/v2/": dial tcp 10.0.0.1:443: connect: network is unreachable': (
        "registry-not-reached"
    ),
    "net/http: request canceled (Client.Timeout exceeded while awaiting headers)": (
        "registry-not-reached"
    ),
    'Get "https://nosuch/v2/": dial tcp: lookup nosuch: no such host': "registry-name-unknown",
    "dial tcp: lookup r on 10.0.0.1:53: server misbehaving": "registry-name-unknown",
    "image config verification failed for digest sha256:11": "image-damaged",
    "failed to register layer: write /usr/x: no space left on device": "disk-full",
    'Get "https://r/v2/": x509: certificate signed by unknown authority': "registry-untrusted",
    'Get "https://r/v2/": http: server gave HTTP response to HTTPS client': "registry-untrusted",
    "invalid reference format": "image-name",
    # Podman
    "initializing source docker://r/x:1: reading manifest 1 in r/x: manifest unknown": (
        "no-such-image"
    ),
    "initializing source docker://r/x:1: reading manifest 1 in r/x: unauthorized": "access-denied",
    "choosing an image from manifest list docker://r/x:1: no image found in manifest list for "
    'architecture amd64, variant "", OS linux': "platform",
    f"reading manifest 1 in r/x: StatusCode: 403, {PAGE}": "no-registry-answer",
    "Download config.json digest sha256:11 does not match expected sha256:22": "image-damaged",
    "beginning transaction: database is locked": "storage-trouble",
    # containerd, as the kubelet quotes it
    'rpc error: code = NotFound desc = failed to pull and unpack image "r/x:1": failed to resolve '
    'reference "r/x:1": r/x:1: not found': "no-such-image",
    "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to "
    "https://r/token: 401 Unauthorized": "access-denied",
    'failed to pull and unpack image "r/x:1": no match for platform in manifest: not found': (
        "platform"
    ),
    "unexpected status from HEAD request to https://r/v2/x/manifests/1: 429 Too Many Requests": (
        "too-many-requests"
    ),
    "unexpected status from HEAD request to http://r/v2/x/manifests/1: 500 Internal Server Error": (
        "registry-error"
    ),
    # unknown words
    "the registry is on holiday": "unknown",
}


@pytest.mark.parametrize(("words", "name"), PULLS.items())
def test_the_cause_is_known_by_the_words_of_engines(words: str, name: str) -> None:
    assert pull_cause(words).name == name
    assert pull_cause(words.upper()).name == name


def test_a_final_cause_is_no_image_and_a_transient_one_is_waited_for() -> None:
    causes = {name: cause_named(name) for name in PULLS.values()}
    for cause in causes.values():
        waits = cause.reason in (Reason.PULLING, Reason.QUEUED)
        assert waits is not cause.is_final
        assert cause.is_final == (cause.reason is Reason.IMAGE_NOT_FOUND)


def test_every_fault_of_the_faulty_registry_has_its_row() -> None:
    assert all(isinstance(cause_named(name), Cause) for name in FAULTS.values())


@pytest.mark.parametrize(
    "words",
    [
        "write /var/lib/docker/tmp/x: no space left on device",
        "devmapper: Thin Pool has 0 free data blocks which is less than minimum required",
        "statfs /srv/store: stale NFS file handle",
        "crun: fork: Resource temporarily unavailable",
        "error opening database /run/libpod/bolt_state.db: timeout",
        "context deadline exceeded",
        "error while mounting volume: dial tcp 10.0.0.1:2049: connect: no route to host",
    ],
)
def test_a_container_that_cannot_be_made_now_may_be_made_later(words: str) -> None:
    assert passing_cause(words)


@pytest.mark.parametrize(
    "words",
    [
        'exec: "timeout": executable file not found in $PATH',
        "statfs /srv/database: no such file or directory",
        "statfs /srv/429/timeout/<html>: no such file or directory",
        "statfs /srv/503 Service Unavailable: no such file or directory",
        "manifest unknown",
    ],
)
def test_the_names_that_a_job_chose_are_no_cause(words: str) -> None:
    assert passing_cause(words) is None


def test_a_message_names_image_and_cause_and_quotes_the_engine() -> None:
    words = "manifest unknown"
    assert pull_message("r/x:1", words) == (
        f"cannot get image r/x:1: {cause_named('no-such-image').wording} ({words})"
    )
