"""pman reaches the API server, also after its credentials have changed under way."""

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from k8s_cluster import (
    NAMESPACE,
    PYTHON_LEAVES_SOCKETS,
    ROLE,
    account,
    admin,
    applied,
    kubectl,
    token_of,
    until,
)
from k8s_kit import K8sKit
from proxies import Proxy, proxy

from pman_core import JobFilter, Status
from pman_core.contract.errors import EngineUnavailableError
from pman_k8s.backend import KubernetesBackend, OpenShiftBackend
from pman_k8s.preflight import OPTIONAL, REQUIRED

pytestmark = [pytest.mark.timeout(600), pytest.mark.filterwarnings(PYTHON_LEAVES_SOCKETS)]


def test_the_documented_role_is_what_pman_needs_and_nothing_more(kit: K8sKit) -> None:
    rules = json.loads(kubectl("-n", NAMESPACE, "get", "role", "pman", "-o", "json"))["rules"]
    granted = {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    needed = {
        (group, f"{resource}/{part}" if part else resource, verb)
        for group, resource, part, verb in (*REQUIRED, *OPTIONAL)
    }
    assert granted == needed
    assert kit.pman().pman_ping().startswith("kubernetes v1.")


@pytest.fixture
def weak(kit: K8sKit, tmp_path: Path) -> Any:
    """The kubeconfig of an account without any permission."""
    name = kit.instance
    with applied({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}):
        (tmp_path / "weak").mkdir()
        yield account().kubeconfig(tmp_path / "weak", token=token_of(NAMESPACE, name))


def test_check_notes_openshift_on_a_plain_kubernetes(kit: K8sKit) -> None:
    told = OpenShiftBackend(kit.environ).pman_ping()
    assert told.startswith("openshift v1.")
    assert "set CONTAINER_ENV=kubernetes" in told
    assert "\n" not in kit.pman().pman_ping()


def test_missing_permissions_are_named(kit: K8sKit, weak: Path) -> None:
    pman = kit.pman(KUBECONFIG=str(weak))
    with pytest.raises(EngineUnavailableError) as caught:
        pman.pman_ping()
    for words in (
        "create jobs (batch)",
        "get pods/log",
        str(ROLE.parent.parent.name),
    ):
        assert words in str(caught.value)
    with pytest.raises(EngineUnavailableError, match=r"not allowed to create jobs \(batch\)"):
        pman.pman_submit(kit.shell("true"))
    with pytest.raises(EngineUnavailableError, match=r"not allowed to list jobs \(batch\)"):
        pman.pman_list(JobFilter(), 10, None)


def test_wrong_credentials_are_reported(kit: K8sKit, tmp_path: Path) -> None:
    (tmp_path / "wrong").mkdir()
    config = kit.account.kubeconfig(tmp_path / "wrong", token="not-a-token")  # noqa: S106
    with pytest.raises(EngineUnavailableError, match="does not accept pman's credentials"):
        kit.pman(KUBECONFIG=str(config)).pman_status("any")


def test_the_role_of_pman_6_is_enough_and_check_notes_what_it_lacks(
    kit: K8sKit, role_of_pman_6: Path
) -> None:
    pman = kit.pman(KUBECONFIG=str(role_of_pman_6))
    title, *notes = pman.pman_ping().split("\n")
    assert title.startswith("kubernetes v1.")
    lacking = ["patch pods", "delete pods", "list events", "get persistentvolumeclaims"]
    assert [f"pman may not {verb} in" in note for verb, note in zip(lacking, notes, strict=True)]
    assert all("deploy/kubernetes" in note for note in notes)
    storage = pman.pman_resolve_storage("kubernetes_pvc")
    assert storage is not None
    storage.check()

    made = kit.shell("echo words; exit 3")
    info = kit.run(pman, made)
    assert (info.status, info.exit_code) == (Status.FAILED, 3)
    assert pman.pman_logs(info, 10, 1000) == b"words\n"
    assert pman.pman_list(JobFilter(), 10, None).jobs == (info,)
    assert pman.pman_remove(made.jid)
    assert kit.pods(made.jid) == []


def test_with_the_role_of_pman_6_a_job_that_runs_is_removed(
    kit: K8sKit, role_of_pman_6: Path
) -> None:
    pman = kit.pman(KUBECONFIG=str(role_of_pman_6))
    place = kit.place()
    made = kit.hold(place)
    kit.start(pman, made, place)
    assert pman.pman_remove(made.jid)
    assert kit.pods(made.jid) == []


def test_a_server_of_another_authority_is_not_trusted(kit: K8sKit, tmp_path: Path) -> None:
    config = json.loads(kit.account.kubeconfig(tmp_path).read_text())
    authority = Path("/etc/ssl/certs/ca-certificates.crt")
    if not authority.exists():
        pytest.skip("this machine has no other authorities")
    cluster = config["clusters"][0]["cluster"]
    del cluster["certificate-authority-data"]
    cluster["certificate-authority"] = str(authority)
    other = tmp_path / "other.json"
    other.write_text(json.dumps(config))
    with pytest.raises(EngineUnavailableError, match="certificate"):
        kit.pman(KUBECONFIG=str(other)).pman_status("any")


def test_a_token_file_that_is_renewed_is_read_again(kit: K8sKit, tmp_path: Path) -> None:
    """The old token was accepted until its end, which only the server knows."""
    token = tmp_path / "token"
    token.write_text(kit.account.token)
    config = json.loads(kit.account.kubeconfig(tmp_path).read_text())
    config["users"][0]["user"] = {"tokenFile": str(token)}
    path = tmp_path / "token-file.json"
    path.write_text(json.dumps(config))
    pman = kit.pman(KUBECONFIG=str(path))
    assert pman.pman_ping()
    token.write_text("over")
    pman._cluster._connection.forget()
    with pytest.raises(EngineUnavailableError, match="401"):
        pman.pman_ping()
    token.write_text(kit.account.token)
    assert pman.pman_ping()


def test_a_kubeconfig_that_changes_is_read_again(kit: K8sKit, tmp_path: Path) -> None:
    path = tmp_path / "changing.json"
    good = kit.account.kubeconfig(tmp_path).read_text()
    path.write_text(good)
    pman = kit.pman(KUBECONFIG=str(path))
    assert pman.pman_ping()
    path.write_text("{not a kubeconfig")
    with pytest.raises(EngineUnavailableError, match="kubeconfig cannot be used"):
        pman.pman_ping()
    path.write_text(good)
    assert pman.pman_ping()


def test_client_certificates_that_are_renewed_are_used(kit: K8sKit, tmp_path: Path) -> None:
    """The admin's kubeconfig has one; it is put into files that change."""
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    user = config["users"][0]["user"]
    if "client-certificate-data" not in user:
        pytest.skip("the admin of this cluster has no client certificate")
    for kind in ("certificate", "key"):
        content = base64.b64decode(user.pop(f"client-{kind}-data"))
        (tmp_path / kind).write_bytes(content)
        user[f"client-{kind}"] = str(tmp_path / kind)
    path = tmp_path / "certificates.json"
    path.write_text(json.dumps(config))
    pman = kit.pman(KUBECONFIG=str(path))
    assert pman.pman_ping()
    first = pman._cluster._connection.client()
    assert pman._cluster._connection.client() is first
    other = tmp_path / "new"
    other.write_bytes((tmp_path / "certificate").read_bytes())
    os.replace(other, tmp_path / "certificate")
    assert pman.pman_ping()
    assert pman._cluster._connection.client() is not first


def test_the_account_of_a_pod_is_used_inside_of_a_cluster(
    kit: K8sKit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its token is read again when the kubelet renews it."""
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text(kit.account.token)
    authority.write_bytes(kit.account.ca)
    monkeypatch.setattr("pman_k8s.connection.SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr("pman_k8s.connection.SERVICE_CERT_FILENAME", str(authority))
    host, port = kit.account.address
    environ = {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": str(port),
        "JOB_NAMESPACE": NAMESPACE,
    }
    pman = KubernetesBackend(environ)
    assert pman.pman_ping()
    token.write_text("renewed, and wrong")
    with pytest.raises(EngineUnavailableError, match="401"):
        pman.pman_ping()
    token.write_text(kit.account.token)
    assert pman.pman_ping()


@pytest.mark.parametrize("fault", [Proxy.freeze, Proxy.drip])
def test_a_server_that_goes_silent_is_given_up_in_time(
    kit: K8sKit, tmp_path: Path, fault: Callable[[Proxy], None]
) -> None:
    with proxy(kit.account.address) as between:
        pman = behind(kit, tmp_path, between, ENGINE_TIMEOUT="5")
        assert pman.pman_ping()
        fault(between)
        for ask in (lambda: pman.pman_status("any"), pman.pman_ping):
            with pytest.raises(EngineUnavailableError, match="in time"):
                ask()
        between.thaw()
        until(lambda: _answers(pman), bool)


def test_a_connection_that_broke_is_made_anew(kit: K8sKit, tmp_path: Path) -> None:
    with proxy(kit.account.address) as between:
        pman = behind(kit, tmp_path, between, ENGINE_TIMEOUT="5")
        assert pman.pman_ping()
        between.cut()
        with pytest.raises(EngineUnavailableError, match="cannot be reached"):
            pman.pman_ping()
        between.up()
        assert pman.pman_ping()


def behind(kit: K8sKit, folder: Path, between: Proxy, **environ: str) -> KubernetesBackend:
    """A pman that reaches the cluster through a proxy."""
    config = kit.account.kubeconfig(folder, between.port)
    return kit.pman(KUBECONFIG=str(config), **environ)


def _answers(pman: KubernetesBackend) -> bool:
    try:
        return bool(pman.pman_ping())
    except EngineUnavailableError:
        return False


def test_nothing_is_asked_before_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    path.write_text("{}")
    pman = KubernetesBackend({"KUBECONFIG": str(path)})
    assert pman.pman_capabilities()
    with pytest.raises(EngineUnavailableError, match="kubeconfig"):
        pman.pman_ping()


def test_the_admin_of_the_tests_is_another(kit: K8sKit) -> None:
    """What pman may do is not what the tests may."""
    assert admin().may("delete", "", "nodes")
    assert not kit.pman()._cluster.may("delete", "", "nodes")
    assert not kit.pman()._cluster.may("get", "", "secrets")
