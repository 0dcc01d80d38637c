"""A small image with a shell in a real registry, and a slow way to it."""

import contextlib
import io
import os
import tarfile
import uuid
from collections.abc import Iterator

import attrs
import docker
import requests
from engine_subjects import address
from proxies import Proxy, proxy

#: Where the registry is; ``engines/up registry`` brings it up.
REGISTRY = os.environ.get("PMAN_TEST_REGISTRY", "localhost:15000")

#: A shell that needs two libraries, and nothing else.
_FILES = {
    "bin/sh": "/bin/dash",
    "lib64/ld-linux-x86-64.so.2": "/lib64/ld-linux-x86-64.so.2",
    "lib/x86_64-linux-gnu/libc.so.6": "/lib/x86_64-linux-gnu/libc.so.6",
}


def why_no_registry() -> str | None:
    """Why no image can be pulled here; ``None`` if one can."""
    try:
        requests.get(f"http://{REGISTRY}/v2/", timeout=5).raise_for_status()
    except requests.RequestException as error:
        return f"no registry answers at {REGISTRY} ({error}); run engines/up registry"
    missing = [path for path in _FILES.values() if not os.path.exists(path)]
    return f"this machine has no {', '.join(missing)} to make a small image of" if missing else None


@contextlib.contextmanager
def pushed_image() -> Iterator[str]:
    """A repository of the registry that holds an image with tag 1; about 2 MB travel."""
    repository = f"pman-pull-{uuid.uuid4().hex[:8]}"
    name = f"{REGISTRY}/{repository}"
    api = docker.APIClient(address("docker"), version="auto", timeout=120)
    api.import_image_from_data(_root_tar(), repository=name, tag="1")
    try:
        for news in api.push(name, "1", stream=True, decode=True):
            assert "error" not in news, news
    finally:
        api.remove_image(f"{name}:1", force=True)
        api.close()
    yield repository
    _delete(repository)


def _delete(repository: str) -> None:
    manifests = f"http://{REGISTRY}/v2/{repository}/manifests"
    kind = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    digest = requests.head(f"{manifests}/1", headers=kind, timeout=10).headers.get(
        "Docker-Content-Digest"
    )
    if digest:
        requests.delete(f"{manifests}/{digest}", timeout=10)


def _root_tar() -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, source in _FILES.items():
            with open(os.path.realpath(source), "rb") as file:
                _add(tar, name, file.read())
        _add(tar, "random", os.urandom(2**20))
    return archive.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o755
    tar.addfile(info, io.BytesIO(content))


@attrs.frozen
class SlowImage:
    """An image behind a proxy of its own, so that its name and its pull are one test's."""

    name: str
    way: Proxy

    def tag(self, tag: str) -> str:
        """Another tag of the repository, which it does not have."""
        return f"{self.name.rpartition(':')[0]}:{tag}"


@contextlib.contextmanager
def slow_image(api: docker.APIClient, repository: str) -> Iterator[SlowImage]:
    """The image of ``pushed_image``; an engine's copy of it goes away in the end."""
    host, _, port = REGISTRY.partition(":")
    with proxy((host, int(port))) as way:
        image = SlowImage(f"localhost:{way.port}/{repository}:1", way)
        try:
            yield image
        finally:
            way.cut()
            with contextlib.suppress(docker.errors.APIError):
                api.remove_image(image.name, force=True)
