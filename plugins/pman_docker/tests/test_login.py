"""What registries are told, from the files of Docker's own client; nobody is asked for it."""

import base64
import json
from pathlib import Path
from typing import Any

import docker
import pytest

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.settings import load
from pman_docker import images
from pman_docker.client import Engine
from pman_docker.settings import HostSettings

REGISTRY = "registry.example.org"


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the logins are written."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


@pytest.fixture
def engine(config: Path) -> Engine:
    """One that is never reached."""
    engine = Engine(load(HostSettings, {}), "unix:///no/such/socket")
    engine._api = docker.APIClient("unix:///no/such/socket", version="1.41")
    return engine


def log_in(config: Path, password: str) -> None:
    words = base64.b64encode(f"somebody:{password}".encode()).decode()
    config.write_text(json.dumps({"auths": {REGISTRY: {"auth": words}}}))


def password(engine: Engine) -> Any:
    """The password that the registry of an image is told."""
    told = images.login(engine, f"{REGISTRY}/some/image:1")
    return json.loads(base64.urlsafe_b64decode(told))["password"] if told else None


def test_a_login_is_that_of_now(engine: Engine, config: Path) -> None:
    """Some are good for hours only, and are renewed while pman runs."""
    assert password(engine) is None
    for renewed in ("first", "second"):
        log_in(config, renewed)
        assert password(engine) == renewed
    config.unlink()
    assert password(engine) is None


@pytest.mark.parametrize("image", ["docker://x/y:1", "https://ghcr.io/x/y", "-x.y/z"])
def test_an_impossible_image_needs_no_login(engine: Engine, image: str) -> None:
    """The engine says what is wrong with it."""
    assert images.login(engine, image) is None


@pytest.mark.parametrize("entry", ["abc", "Y29sb24=", "☃", "/////w=="])
def test_a_login_that_cannot_be_read_is_reported_without_it(
    engine: Engine, config: Path, entry: str
) -> None:
    """What it holds may be a part of a password."""
    config.write_text(json.dumps({"auths": {REGISTRY: {"auth": entry}}}))
    unconnected = Engine(load(HostSettings, {}), "unix:///no/such/socket")
    for reader in (engine, unconnected):
        with pytest.raises(EngineUnavailableError, match=r"config\.json.*log in anew") as caught:
            images.login(reader, f"{REGISTRY}/some/image:1")
        assert entry not in str(caught.value)
