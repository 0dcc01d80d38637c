"""A real ChRIS plugin runs on a claim as CUBE has it run: over HTTP, by the requests of pfcon."""

import os
import uuid
from pathlib import Path

import pytest
import requests
from k8s_cluster import STOREBASE
from k8s_kit import K8sKit
from pfcon_client import (
    PFCON_TIMEOUT_S,
    assert_succeeded,
    folders,
    pfcon_request,
    polled,
    served,
)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give folders to somebody else")
def test_a_chris_plugin_runs_on_a_claim(kit: K8sKit, tmp_path: Path) -> None:
    jid = f"chris-jid-{uuid.uuid4().hex[:8]}"
    token = f"secret-{uuid.uuid4().hex}"
    folder = STOREBASE / f"key-{jid}"
    kit.made.append(folder)
    _, outgoing = folders(folder)
    log = tmp_path / "server.log"
    environ = {
        **kit.environ,
        "CONTAINER_ENV": "kubernetes",
        "STORAGE_TYPE": "kubernetes_pvc",
    }
    with served(environ, log) as url:
        request = pfcon_request(jid, token)
        posted = requests.post(url, json=request, timeout=PFCON_TIMEOUT_S)
        assert posted.status_code == 201, posted.text
        again = requests.post(url, json=request, timeout=PFCON_TIMEOUT_S)
        assert again.status_code == 201, again.text
        other = requests.post(url, json=request | {"args": []}, timeout=PFCON_TIMEOUT_S)
        assert other.status_code == 409, other.text

        end = polled(f"{url}{jid}/")
        assert_succeeded(end, outgoing)

        missing = request | {"jid": jid + "-2", "input_dir": f"key-{jid}/no-such"}
        refused = requests.post(url, json=missing, timeout=PFCON_TIMEOUT_S)
        assert refused.status_code == 400, refused.text
        assert "no-such" in refused.json()["message"]["input_dir"]
        assert not (folder / "no-such").exists()

        deleted = requests.delete(f"{url}{jid}/", timeout=PFCON_TIMEOUT_S)
        assert deleted.status_code == 204, deleted.text
        assert requests.get(f"{url}{jid}/", timeout=PFCON_TIMEOUT_S).status_code == 404
    assert kit.pods() == []
    told = log.read_text()
    assert jid in told  # it is the right log
    assert token not in told + posted.text + str(end) + refused.text
