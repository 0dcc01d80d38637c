"""Whatever the engine's client raises becomes one of our errors; nothing leaks."""

import http.client
import inspect
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import docker.errors
import pytest
import requests.exceptions
import urllib3
import urllib3.exceptions

from pman_core.contract.errors import EngineUnavailableError
from pman_docker.engine_info import engine_info_of
from pman_docker.errors import (
    ImageMissingError,
    NameInUseError,
    NotFoundError,
    RefusedError,
    engine_errors,
    refusal,
    transient_cause,
)
from pman_docker.status.container import transient_start_cause

#: All that is raised by the modules that the client is made of, and what the sockets raise.
MODULES: tuple[ModuleType, ...] = (
    docker.errors,
    requests.exceptions,
    urllib3.exceptions,
    http.client,
)
GIVEN: tuple[tuple[Any, ...], ...] = (
    (),
    ("x",),
    (1, 2),
    ("x", "y", 1),
    ("x", "y", "z"),
    ("x", 1, "y", "z", 2),
    (urllib3.HTTPResponse(b""), b"1"),
)
SOCKETS = (OSError, ConnectionResetError, FileNotFoundError, TimeoutError, BrokenPipeError)


def classes() -> Iterator[type[Exception]]:
    for module in MODULES:
        for _, found in inspect.getmembers(module, inspect.isclass):
            own = found.__module__.partition(".")[0] in ("docker", "requests", "urllib3", "http")
            if own and issubclass(found, Exception) and not issubclass(found, Warning):
                yield found
    yield from SOCKETS
    yield json.JSONDecodeError


def made(kind: type[Exception]) -> Exception:
    """An exception of that kind; constructors differ, and what they are given does not matter."""
    for given in GIVEN:
        try:
            error = kind(*given)
            str(error)
        except (TypeError, AttributeError):
            continue
        return error
    raise AssertionError(f"cannot make a {kind}")


@pytest.mark.parametrize("kind", sorted(set(classes()), key=str), ids=str)
def test_every_exception_of_the_client_is_mapped(kind: type[Exception]) -> None:
    error = made(kind)
    with pytest.raises((RefusedError, EngineUnavailableError)), engine_errors("unix:///x"):
        raise error


def test_there_are_that_many() -> None:
    assert len(set(classes())) > 60


def test_a_time_out_says_so() -> None:
    for kind in (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError):
        with pytest.raises(EngineUnavailableError, match="in time"), engine_errors("unix:///x"):
            raise made(kind)


def test_the_innermost_cause_is_reported() -> None:
    def fail() -> None:
        try:
            raise FileNotFoundError(2, "No such file or directory")
        except OSError as error:
            raise requests.exceptions.ConnectionError("HTTPConnectionPool...") from error

    with (
        pytest.raises(EngineUnavailableError, match="No such file") as caught,
        engine_errors("unix:///x"),
    ):
        fail()
    assert "Pool" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        (
            409,
            'Conflict. The container name "/d" is already in use by container "i"',
            NameInUseError,
        ),
        (
            500,
            'container create: the container name "r" is already in use by i: that name is '
            "already in use",
            NameInUseError,
        ),
        (404, "No such image: nosuch/image:1", ImageMissingError),
        (404, "no such image: localhost:1/x:1: image not known", ImageMissingError),
        (404, "No such container: nono", NotFoundError),
        (404, 'no container with name or ID "n" found: no such container', NotFoundError),
        (500, "container i does not exist in database: no such container", NotFoundError),
        (404, "network X not found", NotFoundError),
        (409, "container is marked for removal and cannot be started", NotFoundError),
        (400, "invalid reference format", RefusedError),
        (409, "removal of container i is already in progress", RefusedError),
        (500, "address already in use", RefusedError),
    ],
)
def test_refusals_are_distinguished(code: int, words: str, kind: type[RefusedError]) -> None:
    found = refusal(code, words)
    assert type(found) is kind
    assert (found.code, str(found)) == (code, words)


@pytest.mark.parametrize(
    "words",
    [
        "write /var/lib/docker/tmp/x: no space left on device",
        "devmapper: Thin Pool has 0 free data blocks which is less than minimum required",
        "statfs /srv/store: stale NFS file handle",
        "crun: fork: Resource temporarily unavailable",
        "beginning transaction: database is locked",
        "error opening database /run/libpod/bolt_state.db: timeout",
        'Get "https://r/v2/": dial tcp 10.0.0.1:443: connect: connection refused',
        'Get "https://r/v2/": net/http: TLS handshake timeout',
        'Get "https://r/v2/": dial tcp: lookup r on 10.0.0.1:53: read udp: i/o timeout',
        'Head "https://r/v2/x": EOF',
        "context deadline exceeded",
        "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
    ],
)
def test_a_fault_of_the_engine_or_of_the_network_may_pass(words: str) -> None:
    cause = transient_cause(RefusedError(500, words))
    assert cause
    assert not cause.is_final
    assert transient_cause(RefusedError(400, words)) is None


@pytest.mark.parametrize(
    "words",
    [
        "manifest for x:1 not found: manifest unknown",
        "pull access denied for x, repository does not exist or may require login",
        "unauthorized: authentication required",
        'exec: "timeout": executable file not found in $PATH',
        "statfs /srv/database: no such file or directory",
        "statfs /srv/timeout: no such file or directory",
    ],
)
def test_a_clear_no_does_not_pass(words: str) -> None:
    assert transient_cause(RefusedError(500, words)) is None


#: What engines say of a part of a volume: Docker 26 and 28, Podman 5.4 and 5.8.
PARTS = (
    (404, "cannot access path /v/_data/{0}: lstat /v/_data/{0}: no such file or directory"),
    (500, 'error while resolving symlinks in combined path "/v/_data/{0}": invalid argument'),
    (400, "path concatenation escapes the base directory, base: /v/_data, subpath: {0}"),
    (500, 'subpath "{0}" is outside of the volume "/v/_data"'),
    (500, "securejoin.OpenInRoot {0}: openat2 /v/_data/{0}: no such file or directory"),
)


@pytest.mark.parametrize(("code", "words"), PARTS)
@pytest.mark.parametrize(
    "directory", ["timed out", "x: stale file handle", "no such image", "a\nno such container"]
)
def test_a_directory_may_have_any_name(code: int, words: str, directory: str) -> None:
    """It is no cause that ends by itself, and no container that is gone."""
    said = words.format(directory)
    refused = refusal(code, said)
    assert type(refused) is RefusedError
    assert transient_cause(RefusedError(500, said)) is None
    assert transient_start_cause(said) is None


def test_a_fault_of_the_file_server_may_pass() -> None:
    said = "cannot access path /v/_data/x: lstat /v/_data/x: stale file handle"
    assert transient_start_cause(said)
    assert transient_start_cause(f"{PARTS[4][1].format('x')}: input/output error")


# ------------------------------------------------------------------ what an engine says it is

DOCKER_VERSION = {"Version": "20.10.24", "Components": [{"Name": "Engine"}]}
PODMAN_VERSION = {"Version": "4.3.1", "Components": [{"Name": "Podman Engine"}]}
#: Both, as they answer on the development machines, as far as it matters here.
INFO = {
    "MemoryLimit": True,
    "SwapLimit": True,
    "CpuCfsQuota": True,
    "CgroupVersion": "1",
    "SecurityOptions": ["name=seccomp,profile=default"],
}
ROOTLESS = {"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"], "Rootless": True}


@pytest.mark.parametrize(
    ("info", "enforced"),
    [
        (INFO, True),
        ({**INFO, "CgroupVersion": "2"}, True),
        ({**INFO, "SecurityOptions": None}, True),
        ({}, True),
        ({**INFO, "MemoryLimit": False}, False),
        ({**INFO, "CpuCfsQuota": False}, False),
        ({**INFO, **ROOTLESS}, False),
        ({**INFO, **ROOTLESS, "CgroupVersion": "2"}, True),
        ({**INFO, **ROOTLESS, "CgroupVersion": "2", "MemoryLimit": False}, False),
        ({**INFO, "Rootless": True, "SecurityOptions": []}, False),
    ],
)
def test_limits_that_the_engine_drops_are_seen(info: dict[str, Any], enforced: bool) -> None:
    assert engine_info_of(DOCKER_VERSION, info).enforces_limits is enforced
    assert engine_info_of(PODMAN_VERSION, info).enforces_limits is enforced


def test_the_engine_is_named() -> None:
    assert engine_info_of(DOCKER_VERSION, INFO).title == "Docker 20.10.24"
    assert engine_info_of(PODMAN_VERSION, {**INFO, **ROOTLESS}).title == "Podman 4.3.1 (rootless)"
    assert not engine_info_of(DOCKER_VERSION, {**INFO, "SwapLimit": False}).limits_swap


@pytest.mark.parametrize(
    ("version", "knows"), [("4.3.1", False), ("5.4.2", True), ("10.0", True), ("?", False)]
)
def test_only_a_newer_podman_knows_of_memory_and_has_a_good_tail(version: str, knows: bool) -> None:
    podman = engine_info_of({**PODMAN_VERSION, "Version": version}, INFO)
    docker = engine_info_of({**DOCKER_VERSION, "Version": version}, INFO)
    assert (podman.knows_oom, podman.exact_tail) == (knows, knows)
    assert (docker.knows_oom, docker.exact_tail) == (True, True)


@pytest.mark.parametrize(
    ("version", "more", "mounts_parts"),
    [
        ({**DOCKER_VERSION, "ApiVersion": "1.44"}, {}, False),
        ({**DOCKER_VERSION, "ApiVersion": "1.45"}, {}, True),
        ({**DOCKER_VERSION, "ApiVersion": "1.100"}, {}, True),
        ({**DOCKER_VERSION, "ApiVersion": "2.0"}, {}, True),
        ({**DOCKER_VERSION, "ApiVersion": "1.51"}, ROOTLESS, False),
        (DOCKER_VERSION, {}, False),
        ({**PODMAN_VERSION, "ApiVersion": "1.45"}, {}, False),
        ({**PODMAN_VERSION, "Version": "5.3.9"}, {}, False),
        ({**PODMAN_VERSION, "Version": "5.4.2"}, {}, True),
        ({**PODMAN_VERSION, "Version": "5.10.0-dev"}, {}, True),
        ({**PODMAN_VERSION, "Version": "5.8.6"}, ROOTLESS, False),
    ],
)
def test_only_newer_engines_mount_parts_of_volumes(
    version: dict[str, Any], more: dict[str, Any], mounts_parts: bool
) -> None:
    assert engine_info_of(version, {**INFO, **more}).mounts_parts is mounts_parts
