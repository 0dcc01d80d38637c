"""A real ChRIS plugin runs as CUBE has it run: pfcon speaks HTTP to a pman of its own process."""

import os
import uuid
from collections.abc import Mapping
from pathlib import Path

import docker
import docker.errors
import engine_subjects
import pytest
import requests
import swarm_subjects
from pfcon_client import (
    IMAGE,
    PFCON_TIMEOUT_S,
    assert_succeeded,
    folders,
    pfcon_request,
    polled,
    removing,
    served,
)

from pman_core.testing.pytest_plugin import Engines


@pytest.mark.parametrize("engine", ["docker", "podman", "swarm"])
def test_a_chris_plugin_runs_as_pfcon_would_have_it_run(
    engine: str, engines: Engines, tmp_path: Path
) -> None:
    engines.need(engine, why_missing(engine))
    jid = f"chris-jid-{uuid.uuid4().hex[:8]}"
    token = f"secret-{uuid.uuid4().hex}"
    _, outgoing = folders(tmp_path / "storebase" / f"key-{jid}")

    log = tmp_path / "server.log"
    with served(environ(engine, tmp_path / "storebase"), log) as url, removing(url, jid):
        request = pfcon_request(jid, token)
        posted = requests.post(url, json=request, timeout=PFCON_TIMEOUT_S)
        assert posted.status_code == 201, posted.text
        assert posted.json()["jid"] == jid
        # CUBE repeats a submission when it has renewed its own token.
        again = requests.post(url, json=request, timeout=PFCON_TIMEOUT_S)
        assert again.status_code == 201, again.text

        end = polled(f"{url}{jid}/")
        assert_succeeded(end, outgoing)

        deleted = requests.delete(f"{url}{jid}/", timeout=PFCON_TIMEOUT_S)
        assert deleted.status_code == 204, deleted.text
        gone = requests.get(f"{url}{jid}/", timeout=PFCON_TIMEOUT_S)
        assert gone.status_code == 404

    told = log.read_text()
    assert jid in told  # it is the right log
    assert not any(token in text for text in (told, posted.text, again.text, str(end), gone.text))


def address(engine: str) -> str:
    """Where an engine listens."""
    return (
        os.environ.get("PMAN_SWARM_HOST", "")
        if engine == "swarm"
        else engine_subjects.address(engine)
    )


def environ(engine: str, storebase: Path) -> Mapping[str, str]:
    """The settings of pman for an engine."""
    return {
        "CONTAINER_ENV": engine,
        "DOCKER_HOST": address(engine),
        "STORAGE_TYPE": "host",
        "STOREBASE": str(storebase),
        "INSTANCE": f"test-{uuid.uuid4().hex[:8]}",
    }


def why_missing(engine: str) -> str | None:
    """Why an engine cannot run the plugin; ``None`` if it can."""
    swarm = engine == "swarm"
    missing = swarm_subjects.why_missing() if swarm else engine_subjects.why_missing(engine)
    if missing:
        return missing
    api = docker.APIClient(address(engine), version="auto")
    try:
        api.inspect_image(IMAGE)  # type: ignore[no-untyped-call]
    except docker.errors.ImageNotFound:
        return f"{engine} has no image {IMAGE}; run engines/up {engine}"
    finally:
        api.close()
    return None
