"""The API server behind a proxy, that of a kubeconfig or of the environment."""

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from k8s_certificates import Certificate
from k8s_standin import ask, standin, yes

from pman_core.contract.errors import EngineUnavailableError
from pman_k8s.backend import KubernetesBackend
from pman_k8s.transport import proxy_of

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_the_proxy_of_a_kubeconfig_is_used(tmp_path: Path) -> None:
    with standin(tmp_path, yes) as proxy:
        config = json.loads(proxy.config.read_text())
        config["clusters"][0]["cluster"] = {
            "server": "http://api.example",
            "proxy-url": proxy.address,
        }
        proxy.config.write_text(json.dumps(config))
        assert ask(KubernetesBackend(proxy.environ())) == "v1.36.2"
        assert [asked.path for asked in proxy.asked] == ["http://api.example/version"]


class Tunnel(BaseHTTPRequestHandler):
    """A proxy, for one connection to a server that speaks TLS."""

    asked: ClassVar[list[str]] = []

    def do_CONNECT(self) -> None:
        self.asked.append(f"{self.path}\n{self.headers}")
        host, port = self.path.split(":")
        self.send_response(200)
        self.end_headers()
        with socket.create_connection((host, int(port))) as server:
            threading.Thread(target=_copy, args=(server, self.connection), daemon=True).start()
            _copy(self.connection, server)

    def log_message(self, *args: object) -> None:
        pass


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)


@pytest.fixture
def tunnel() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tunnel)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    Tunnel.asked.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_proxy_before_a_server_with_tls_sees_no_token(
    tmp_path: Path, addressed: Certificate, tunnel: str
) -> None:
    known = {"certificate-authority": str(addressed.certificate), "proxy-url": tunnel}
    with standin(tmp_path, yes, tls=addressed.context(), cluster=known) as server:
        assert ask(KubernetesBackend(server.environ())) == "v1.36.2"
        assert server.asked[0].authorization == "Bearer t"
    (asked,) = Tunnel.asked
    assert "authorization" not in asked.lower()


def test_the_proxy_is_that_of_the_current_context_whichever_file_has_it(tmp_path: Path) -> None:
    with standin(tmp_path, yes) as proxy:
        first, second = tmp_path / "first.json", tmp_path / "second.json"
        other = {"server": "http://127.0.0.1:1", "proxy-url": "http://127.0.0.1:1"}
        mine = {"server": "http://api.example", "proxy-url": proxy.address}
        config = json.loads(proxy.config.read_text())
        (named,) = config.pop("clusters")
        clusters = [{"name": "other", "cluster": other}]
        first.write_text(json.dumps({**config, "clusters": clusters}))
        clusters = [{"name": named["name"], "cluster": mine}]
        second.write_text(json.dumps({"clusters": clusters}))
        pman = KubernetesBackend(proxy.environ(KUBECONFIG=f"{first}:{second}"))
        assert ask(pman) == "v1.36.2"


@pytest.fixture
def environ(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in request.param.items():
        monkeypatch.setenv(name, value)


PLAIN, TLS, OWN = "http://plain.example:1", "http://tls.example:2", "http://own.example:3"
BOTH = {"HTTP_PROXY": PLAIN, "HTTPS_PROXY": TLS}


@pytest.mark.parametrize(
    ("environ", "host", "proxy_url", "proxy"),
    [
        ({}, "https://10.0.0.1", None, None),
        ({}, "https://10.0.0.1", OWN, OWN),
        (BOTH, "https://10.0.0.1", OWN, OWN),
        (BOTH, "https://10.0.0.1", None, TLS),
        (BOTH, "http://10.0.0.1", None, PLAIN),
        ({"https_proxy": TLS}, "https://10.0.0.1", None, TLS),
        ({"HTTP_PROXY": PLAIN}, "https://10.0.0.1", None, None),
        ({"ALL_PROXY": PLAIN}, "https://10.0.0.1", None, PLAIN),
        ({**BOTH, "NO_PROXY": "10.0.0.0/8"}, "https://10.0.0.1:6443", None, None),
        ({**BOTH, "NO_PROXY": "10.0.0.0/8"}, "https://11.0.0.1:6443", None, TLS),
        ({**BOTH, "no_proxy": ".svc,.example"}, "https://api.example", OWN, None),
        ({**BOTH, "NO_PROXY": "*"}, "https://api.example", None, None),
    ],
    indirect=["environ"],
)
@pytest.mark.usefixtures("environ")
def test_which_proxy_is_used(host: str, proxy_url: str | None, proxy: str | None) -> None:
    assert proxy_of(host, proxy_url) == proxy


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.DependencyWarning")
def test_a_kind_of_proxy_that_nothing_here_speaks_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "socks", None)
    with standin(tmp_path, yes, cluster={"proxy-url": "socks5://127.0.0.1:1"}) as server:
        with pytest.raises(EngineUnavailableError, match="PySocks"):
            ask(KubernetesBackend(server.environ()))
        assert not server.asked
