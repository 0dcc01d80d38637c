"""Where pman 6 ran as FNNDSC deploys it, this pman starts once it has tokens, and runs a job.

That is all that a site must change. Two things are the test's own: the port, and INSTANCE, which
keeps other pmans' jobs apart.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import k8s_cluster
import pytest
import requests
from pfcon_client import (
    IMAGE,
    PFCON_TIMEOUT_S,
    RESULTS,
    SAID,
    folders,
    pfcon_request,
    polled,
    removing,
    results,
)
from pman6_sites import SITES, Site
from test_chris_plugin import address, why_missing

from pman_core.testing.pytest_plugin import Engines

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("site", SITES, ids=str)
def test_a_deployment_of_pman_6_starts_with_tokens_and_runs_a_job(
    site: Site, engines: Engines, tmp_path: Path
) -> None:
    missing = k8s_cluster.why_missing() if site.engine == "kubernetes" else why_missing(site.engine)
    engines.need(site.engine, missing)
    jid = f"chris-jid-{uuid.uuid4().hex[:8]}"
    with surroundings(site, tmp_path) as (storebase, places, more), contextlib.ExitStack() as left:
        key = storebase / f"key-{jid}"
        left.callback(shutil.rmtree, key)
        _, outgoing = folders(key)
        outgoing.chmod(0o777)
        token = new_token(tmp_path)
        with started(site, places, more, tmp_path) as address:
            probed = requests.get(address, timeout=PFCON_TIMEOUT_S)
            assert (probed.status_code, probed.json()) == (200, {})
            refused = requests.get(f"{address}{jid}/", timeout=PFCON_TIMEOUT_S)
            assert refused.status_code == 401
            url = address.replace("http://", f"http://pfcon:{token}@")
            with removing(url, jid):
                told = requests.get(url, timeout=PFCON_TIMEOUT_S)
                assert told.json()["container_env"] == site.variables["CONTAINER_ENV"]
                wanted = pfcon_request(jid, "token")
                posted = requests.post(url, json=wanted, timeout=PFCON_TIMEOUT_S)
                assert posted.status_code == 201, posted.text
                end = polled(f"{url}{jid}/")
                assert end["status"] == "finishedSuccessfully", end
                assert end["owner"] == "pfcon"
                assert SAID in end["logs"]
                assert results(outgoing) == RESULTS
                owners = {path.stat().st_uid for path in outgoing.rglob("*")}
                assert owners == {site.user or 0}
                deleted = requests.delete(f"{url}{jid}/", timeout=PFCON_TIMEOUT_S)
                assert deleted.status_code == 204, deleted.text
        assert token not in (tmp_path / "pman.log").read_text()


def new_token(folder: Path) -> str:
    """The token of pfcon, whose digest is in the file ``tokens`` of the folder."""
    file = ("--file", str(folder / "tokens"))
    return run(sys.executable, "-m", "pman", "token", "new", "pfcon", *file).strip()


Surroundings = tuple[Path, Mapping[str, str], Mapping[str, str]]


@contextlib.contextmanager
def surroundings(site: Site, folder: Path) -> Iterator[Surroundings]:
    """The storebase, what stands for the braces, and what a container would have in its place."""
    make = of_cluster if site.engine == "kubernetes" else of_engine
    with make(site, folder) as made:
        yield made


@contextlib.contextmanager
def of_engine(site: Site, folder: Path) -> Iterator[Surroundings]:
    """pfcon's container, with its label and its volume, beside the socket of the engine."""
    host = address(site.engine)
    name = f"pman-test-{uuid.uuid4().hex[:12]}"
    docker = ("docker", "--host", host)
    limits = ("--memory", "32m", "--network", "none", "--label", "org.chrisproject.role=pfcon")
    mount = ("--volume", f"{name}:/var/local/storeBase", "--entrypoint", "sleep")
    try:
        run(*docker, "run", "--detach", "--name", name, *limits, *mount, IMAGE, "600")
        (volume,) = json.loads(run(*docker, "volume", "inspect", name))
        storebase = Path(volume["Mountpoint"])
        yield storebase, {"storebase": str(storebase)}, {"DOCKER_HOST": host}
    finally:
        for words in (("rm", "--force"), ("volume", "rm", "--force")):
            subprocess.run([*docker, *words, name], capture_output=True, timeout=120)


@contextlib.contextmanager
def of_cluster(site: Site, folder: Path) -> Iterator[Surroundings]:
    """A claim, and an account with the permissions that pman 6 uses."""
    places = {"namespace": k8s_cluster.NAMESPACE, "claim": k8s_cluster.CLAIM}
    name = f"test-{uuid.uuid4().hex[:8]}"
    with k8s_cluster.account_with(k8s_cluster.RULES_OF_PMAN_6, name) as token:
        config = k8s_cluster.account().kubeconfig(folder, token=token)
        yield k8s_cluster.STOREBASE, places, {"KUBECONFIG": str(config)}


@contextlib.contextmanager
def started(
    site: Site, places: Mapping[str, str], more: Mapping[str, str], folder: Path
) -> Iterator[str]:
    """The deployment's process, with its variables and nothing else of this machine's; its URL."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    own = {
        "AUTH_TOKENS_FILE": str(folder / "tokens"),
        "INSTANCE": f"test-{uuid.uuid4().hex[:8]}",
        "PORT": "0",
    }
    variables = {name: value.format(**places) for name, value in site.variables.items()}
    command = [word.format(bind="127.0.0.1:0") for word in site.command]
    log = folder / "pman.log"
    with (
        log.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**kept, **variables, **more, **own},
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=folder,
        ) as process,
    ):
        try:
            yield f"http://127.0.0.1:{port(log, process)}/api/v1/"
        finally:
            process.terminate()


def port(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Where it listens; gunicorn says it in other words than pman."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(
            r"(?:Listening at:|serves \w+ on) http://[^:]+:(\d+)", log.read_text()
        ):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"pman did not start: {log.read_text()}")


def run(*words: str) -> str:
    """What a command prints; the test fails with all that it said if it fails."""
    done: Any = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return str(done.stdout)
