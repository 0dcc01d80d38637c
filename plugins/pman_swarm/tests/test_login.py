"""A registry that wants a login gets it, on whatever node the job runs."""

import base64
import contextlib
import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest
from engine_kit import until
from registry_images import _root_tar
from swarm_kit import SECOND, SwarmKit
from swarm_subjects import RealSwarm

from pman_core import Reason, Status
from pman_core.testing.pytest_plugin import Engines

#: Where the registry listens: on the second node alone, whose engine trusts its own host.
ADDRESS = "localhost:15099"
NETWORK = Path("/run/netns/pman-worker")
LOGIN = {"username": "somebody", "password": "something"}
#: What htpasswd makes of it, with bcrypt.
HASHED = "somebody:$2b$04$pXVUs5JiH/yPt3/m4lj6e.1JIUfv1peFX7UbTm3izuXZpwZtfLv.y"


def why_no_registry() -> str | None:
    if not NETWORK.exists():
        return f"the second node is not in {NETWORK}; run engines/up swarm"
    missing = [name for name in ("docker-registry", "nsenter") if not shutil.which(name)]
    return f"there is no {', '.join(missing)}; run engines/up swarm registry" if missing else None


@pytest.fixture
def registry(two_nodes: RealSwarm, engines: Engines, tmp_path: Path) -> Iterator[str]:
    """A registry on the second node that lets nobody in without the login."""
    engines.need("registry", why_no_registry())
    (tmp_path / "passwords").write_text(HASHED + "\n")
    config = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "data")}},
        "http": {"addr": f"127.0.0.1:{ADDRESS.partition(':')[2]}"},
        "auth": {"htpasswd": {"realm": "tests", "path": str(tmp_path / "passwords")}},
    }
    (tmp_path / "config.yml").write_text(json.dumps(config))  # which is YAML too
    command = ["nsenter", f"--net={NETWORK}", "docker-registry", "serve"]
    command.append(str(tmp_path / "config.yml"))
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield ADDRESS
        finally:
            process.terminate()


@pytest.fixture
def image(harness: SwarmKit, registry: str) -> Iterator[str]:
    """A small image that only the registry has."""
    repository = f"{registry}/pman-{uuid.uuid4().hex[:8]}"
    node = harness.swarm.nodes[1]
    node.import_image_from_data(_root_tar(), repository=repository, tag="1")
    try:
        until(lambda: pushed(node, repository), bool)  # the registry begins to listen meanwhile
        node.remove_image(f"{repository}:1", force=True)
        yield f"{repository}:1"
    finally:
        harness.clean_up()
        with contextlib.suppress(docker.errors.APIError):
            node.remove_image(f"{repository}:1", force=True)


def pushed(node: Any, repository: str) -> bool:
    told = node.push(repository, "1", auth_config=LOGIN, stream=True, decode=True)
    return not any("error" in news for news in told)


def log_in(monkeypatch: pytest.MonkeyPatch, folder: Path, login: dict[str, str]) -> None:
    """As ``docker login`` writes it down."""
    words = base64.b64encode(":".join(login.values()).encode()).decode()
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"auths": {ADDRESS: {"auth": words}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


@pytest.mark.parametrize("login", [None, {**LOGIN, "password": "wrong"}], ids=["none", "wrong"])
def test_without_the_login_there_is_no_image(
    harness: SwarmKit,
    image: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    login: dict[str, str] | None,
) -> None:
    if login:
        log_in(monkeypatch, tmp_path / "login", login)
    info = harness.run(harness.shell("true", image=image), harness.pman(NODE_SELECTOR=SECOND))
    assert (info.status, info.reason) == (Status.FAILED, Reason.IMAGE_NOT_FOUND)
    assert image in info.message


def test_the_login_of_dockers_client_goes_to_the_node(
    harness: SwarmKit, image: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log_in(monkeypatch, tmp_path / "login", LOGIN)
    info = harness.run(harness.shell("true", image=image), harness.pman(NODE_SELECTOR=SECOND))
    assert info.status is Status.SUCCEEDED, info
    assert info.image == image
    kept = json.dumps([harness.service(info.jid), harness.tasks(info.jid)])
    assert LOGIN["password"] not in kept
    assert base64.b64encode(":".join(LOGIN.values()).encode()).decode() not in kept
