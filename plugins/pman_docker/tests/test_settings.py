"""Addresses of engines, and what is told of them."""

import pytest
from engine_subjects import SDK_LEAVES_SOCKETS

from pman_core.contract.errors import EngineUnavailableError, SettingsError
from pman_docker.backend import DockerBackend

pytestmark = pytest.mark.filterwarnings(SDK_LEAVES_SOCKETS)


@pytest.mark.parametrize("scheme", ["tcp", "http", "https"])
@pytest.mark.parametrize("login", ["pman:hush", "hush", "pman:hush/x", "pman:hush#x", "a:hush x"])
def test_an_address_with_a_password_is_refused_and_not_reported(scheme: str, login: str) -> None:
    with pytest.raises(SettingsError, match="must hold no user and no password") as caught:
        DockerBackend({"DOCKER_HOST": f"{scheme}://{login}@engine:2375"})
    assert "hush" not in str(caught.value)
    assert f"{scheme}://***@engine:2375" in str(caught.value)


@pytest.mark.parametrize("address", ["tcp://engine", "tcp://engine:port", "tcp://:1:2"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match=r"DOCKER_HOST is no address .*tcp://host:2375"):
        DockerBackend({"DOCKER_HOST": address})


@pytest.mark.parametrize("proxy", ["http://pman:hush@127.0.0.1:1x", "//pman:hush/@127.0.0.1:1"])
def test_the_password_of_a_malformed_proxy_is_not_reported(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    pman = DockerBackend({"DOCKER_HOST": "tcp://192.0.2.1:2375", "ENGINE_TIMEOUT": "2"})
    with pytest.raises(EngineUnavailableError, match="a proxy") as caught:
        pman.pman_ping()
    assert "hush" not in str(caught.value)
