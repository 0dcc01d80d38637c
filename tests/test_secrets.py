"""No secret that reaches pman is written down: not in a log, an answer, a page or a file."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import requests
from kills import IMAGE, IMAGES, Server, settings_of, until

from pman_core.testing.pytest_plugin import Engines

#: What says that an engine is up, by the variables of ``engines/up``.
ENGINES = {
    "process": "PATH",
    "docker": "DOCKER_HOST",
    "podman": "PMAN_PODMAN_HOST",
    "swarm": "PMAN_SWARM_HOST",
    "kubernetes": "PMAN_K8S_CLAIM",
    "cromwell": "PMAN_CROMWELL_URL",
}

#: Begins every secret of these tests.
MARK = "s3cr3t"


def secret(name: str) -> str:
    return f"{MARK}-{name}-{uuid.uuid4().hex}"


@attrs.define
class Site:
    """A pman that was handed a secret in every place where one can enter."""

    backend: str
    folder: Path
    storebase: Path
    token: str
    server: Server
    seen: list[str] = attrs.field(factory=list)

    def ask(self, method: str, path: str = "", token: str | None = None, **how: Any) -> int:
        """Send a request, and keep the answer."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        answer = requests.request(
            method, self.server.url + path, timeout=100, **{"headers": headers, **how}
        )
        self.seen += [answer.text, str(answer.headers)]
        return answer.status_code

    def has_ended(self) -> bool:
        """Whether the good job has."""
        self.ask("GET", "good/?logs=no")
        return "finished" in self.seen[-2]

    def command(self, *words: str) -> None:
        """Run a command of pman as its operator does, and keep what it prints."""
        ran = subprocess.run(
            ["pman", *words],
            env={**self.server.environ, "PMAN_TOKEN": self.token, "PMAN_URL": self.server.url},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        self.seen += [ran.stdout, ran.stderr]

    def request(self, jid: str, **changes: Any) -> dict[str, Any]:
        below = f"{self.storebase.name}/" if self.backend == "kubernetes" else ""
        return {
            "args": [],
            "auid": "x",
            "number_of_workers": 1,
            "cpu_limit": 1000,
            "memory_limit": 128,
            "gpu_limit": 0,
            "image": IMAGES.get(self.backend, IMAGE),
            "entrypoint": ["sh", "-c", "echo ran"],
            "type": "fs",
            "env": [f"TOKEN={secret('environment')}"],
            "input_dir": f"{below}in",
            "output_dir": f"{below}out",
            "jid": jid,
        } | changes

    def clean(self) -> None:
        """Leave no job behind."""
        with contextlib.suppress(requests.ConnectionError):  # it did not start
            for jid in ("good", "no-image", "no-directory"):
                self.ask("DELETE", f"{jid}/")

    def written(self) -> Iterator[tuple[str, str]]:
        """All that pman wrote: where, and what."""
        yield "the log", self.server.log.read_text()
        yield from (("an answer", text) for text in self.seen)
        for root in (self.folder / "state", self.storebase):
            for path in root.rglob("*"):
                yield "a name", path.name
                if path.is_file():
                    yield str(path), path.read_bytes().decode(errors="replace")


@pytest.fixture(params=list(ENGINES))
def site(request: pytest.FixtureRequest, engines: Engines) -> Iterator[Site]:
    backend: str = request.param
    variable = ENGINES[backend]
    if backend != "process":
        missing = None if os.environ.get(variable) else f"{variable} is unset; see engines/up"
        engines.need(backend, missing)
    with tempfile.TemporaryDirectory(prefix="pman-secrets-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        instance = f"secrets-{uuid.uuid4().hex[:8]}"
        shared = os.environ.get("PMAN_K8S_STOREBASE") if backend == "kubernetes" else None
        storebase = Path(shared) / instance if shared else folder / "storebase"
        for part in ("in", "out", ".pman"):
            (storebase / part).mkdir(parents=True)
        made = site_of(backend, instance, folder, storebase)
        try:
            made.server.start()
            yield made
        finally:
            made.clean()
            made.server.kill()
            shutil.rmtree(storebase, ignore_errors=True)


def site_of(backend: str, instance: str, folder: Path, storebase: Path) -> Site:
    tokens = folder / "tokens"
    made = subprocess.run(
        ["pman", "token", "new", "tests", "--role", "admin", "--file", str(tokens)],
        capture_output=True,
        text=True,
        check=True,
    )
    environ = {
        **os.environ,
        **settings_of(backend, folder),
        "CONTAINER_ENV": backend,
        "INSTANCE": instance,
        "APPLICATION_MODE": "development",
        "SECRET_KEY": secret("key"),
        "AUTH_TOKENS_FILE": str(tokens),
        "DOCKER_CONFIG": str(registry_logins(folder)),
    }
    server = Server(environ, folder / "server.log")
    return Site(backend, folder, storebase, made.stdout.strip(), server)


def registry_logins(folder: Path) -> Path:
    """Credentials of the registry of the tests, as ``docker login`` keeps them."""
    made = folder / "docker"
    made.mkdir()
    registry = os.environ.get("PMAN_TEST_REGISTRY", "localhost:15000")
    login = base64.b64encode(f"me:{secret('image')}".encode()).decode()
    (made / "config.json").write_text(json.dumps({"auths": {registry: {"auth": login}}}))
    return made


def test_no_secret_is_written_down(site: Site) -> None:
    registry = os.environ.get("PMAN_TEST_REGISTRY", "localhost:15000")
    assert site.ask("POST", json=site.request("good")) == 201
    site.ask("POST", json=site.request("no-image", image=f"{registry}/no-such-image:1"))
    ask_for_nonsense(site)
    until("the end of the job", site.has_ended, bool)
    site.ask("GET", "jobs/")
    for method, path in (("POST", "good/cancel/"), ("GET", "good/"), ("POST", "no-image/cancel/")):
        site.ask(method, path)
    for words in (["config"], ["check"], ["backends"], ["ls"], ["token", "list"], ["logs", "good"]):
        site.command(*words)
    assert "ran" in "".join(site.seen), "the job's log was answered"
    written = list(site.written())
    site.clean()
    written += site.written()
    found = {where for where, text in written if MARK in text or site.token in text}
    assert found == set()


def ask_for_nonsense(site: Site) -> None:
    """Requests that are refused, each with a secret where it does not belong."""
    key = site.request("good")["env"][0]
    for wrong in ({"env": key}, {"env": {"TOKEN": secret("object")}}, {"env": [secret("no-pair")]}):
        assert site.ask("POST", json=site.request("wrong", **wrong)) == 400
    assert site.ask("POST", json=site.request("good", args=["other"])) == 409
    site.ask("POST", json=site.request("no-directory", input_dir="missing"))
    for token in (secret("token"), f"pman_{secret('token')}"):
        assert site.ask("GET", "jobs/", token=token) == 401
        assert site.ask("GET", "jobs/", headers={}, auth=("me", token)) == 401
    assert site.ask("GET", f"jobs/?token={secret('query')}") == 400
