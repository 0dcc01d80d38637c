"""The cluster that the tests use, and the account that pman has there: the documented Role."""

import base64
import functools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import attrs

from pman_core.kit.settings import load
from pman_k8s.client import Cluster
from pman_k8s.connection import Connection
from pman_k8s.errors import NotFoundError
from pman_k8s.settings import K8sSettings

T = TypeVar("T")

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "deploy" / "kubernetes" / "base" / "account.yaml"

KUBECONFIG = os.environ.get("KUBECONFIG", "")
NAMESPACE = os.environ.get("PMAN_K8S_NAMESPACE", "pman-test")
OTHER_NAMESPACE = os.environ.get("PMAN_K8S_OTHER_NAMESPACE", "pman-test-2")
CLAIM = os.environ.get("PMAN_K8S_CLAIM", "storebase")
STOREBASE = Path(os.environ.get("PMAN_K8S_STOREBASE", "/no-storebase"))
#: Kills and starts parts of the cluster, where the tests may do that.
PART = os.environ.get("PMAN_K8S_PART", "")
IMAGE = os.environ.get("PMAN_TEST_IMAGE", "localhost/pman-test:1")

#: Registries of this machine's port 1 refuse every pull at once.
MISSING_IMAGE = "localhost:1/no-such-image:1"

#: A kubelet of 1.20 may take more than a minute to take a pod out of the API.
PATIENCE_S = 200

#: For tests of a server that goes away: Python 3.11 (``ssl.SSLSocket._create``) does not close a
#: socket whose peer resets it before the handshake.
PYTHON_LEAVES_SOCKETS = "ignore::pytest.PytestUnraisableExceptionWarning"


def kubectl(*words: str, given: str = "") -> str:
    """What kubectl says; the test fails with all of it if it fails."""
    done = subprocess.run(
        ["kubectl", "--kubeconfig", KUBECONFIG, "--request-timeout=30s", *words],
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


def admin(namespace: str = NAMESPACE) -> Cluster:
    """The API server, with all rights."""
    environ = {"KUBECONFIG": KUBECONFIG, "JOB_NAMESPACE": namespace}
    return Cluster(load(K8sSettings, environ), environ)


@functools.cache
def why_missing() -> str | None:
    """Why the tests cannot use a cluster; ``None`` if they can."""
    if not KUBECONFIG:
        return "KUBECONFIG is unset; run engines/up kubernetes"
    if not STOREBASE.is_dir():
        return f"PMAN_K8S_STOREBASE is {STOREBASE}, which is no folder here"
    try:
        admin().claim(CLAIM)
        subprocess.run(["kubectl", "version", "--client"], capture_output=True, check=True)
    except Exception as error:  # whatever it is, the tests cannot run
        return f"the cluster of KUBECONFIG={KUBECONFIG} cannot be used ({error})"
    return None


def why_no_faults() -> str | None:
    """Why the tests cannot make this cluster's parts fail."""
    missing = None if PART else "PMAN_K8S_PART is unset: this cluster is not the tests' own"
    return why_missing() or missing


def part(action: str, name: str) -> None:
    """Kill or start a part of the cluster."""
    subprocess.run([PART, action, name], check=True, capture_output=True, timeout=300)


@attrs.frozen
class Account:
    """A service account that has the documented Role in its namespace, and nothing more."""

    namespace: str
    token: str = attrs.field(repr=False)
    server: str
    ca: bytes = attrs.field(repr=False)

    @property
    def address(self) -> tuple[str, int]:
        found = urlsplit(self.server)
        return found.hostname or "", found.port or 443

    def kubeconfig(self, folder: Path, port: int | None = None, token: str | None = None) -> Path:
        """A kubeconfig of the account; ``port`` leads to a proxy on this machine."""
        host, real = self.address
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "pman",
            "clusters": [
                {
                    "name": "tests",
                    "cluster": {
                        "server": f"https://{host}:{port or real}",
                        "certificate-authority-data": base64.b64encode(self.ca).decode(),
                    },
                }
            ],
            "users": [{"name": "pman", "user": {"token": token or self.token}}],
            "contexts": [{"name": "pman", "context": {"cluster": "tests", "user": "pman"}}],
        }
        path = folder / f"kubeconfig-{self.namespace}-{port or real}.json"
        path.write_text(json.dumps(config))
        return path


@functools.cache
def account(namespace: str = NAMESPACE) -> Account:
    """The account, from the file that the documentation says to apply."""
    kubectl("-n", namespace, "apply", "-f", str(ROLE))
    environ = {"KUBECONFIG": KUBECONFIG}
    client = Connection(load(K8sSettings, environ), environ).client().configuration
    ca = Path(str(client.ssl_ca_cert)).read_bytes()
    until(lambda: _has_the_role(namespace), bool)
    return Account(namespace, token_of(namespace, "pman"), client.host, ca)


def _has_the_role(namespace: str, name: str = "pman") -> bool:
    """Whether the server's authorizer has heard of it yet."""
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{namespace}:{name}",
            "resourceAttributes": {
                "namespace": namespace,
                "verb": "create",
                "group": "batch",
                "resource": "jobs",
            },
        },
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(admin(namespace).ask("POST", path, asked).body["status"]["allowed"])


def token_of(namespace: str, name: str) -> str:
    """A token of a service account: until 1.23 it has a secret with one, since 1.24 none."""
    api = admin(namespace)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"

    def secrets() -> Any:
        found = api.ask("GET", path).body
        return found.get("secrets") or minor_version() >= 24

    found = until(secrets, bool)
    if found is True:
        return kubectl("-n", namespace, "create", "token", name, "--duration=2h").strip()
    secret = f"/api/v1/namespaces/{namespace}/secrets/{found[0]['name']}"
    return base64.b64decode(api.ask("GET", secret).body["data"]["token"]).decode()


@functools.cache
def minor_version() -> int:
    return int(admin().version().split(".")[1])


def exists(name: str, namespace: str = NAMESPACE) -> bool:
    try:
        admin(namespace).job(name)
    except NotFoundError:
        return False
    return True


def until(look: Callable[[], T], enough: Callable[[T], Any], patience_s: float = PATIENCE_S) -> T:
    """Look again and again until it is enough."""
    deadline = time.monotonic() + patience_s
    while True:
        seen = look()
        if enough(seen):
            return seen
        assert time.monotonic() < deadline, f"waited in vain; last seen: {seen!r:.1500}"
        time.sleep(0.05)


@contextmanager
def applied(manifest: dict[str, Any], namespace: str = NAMESPACE) -> Iterator[None]:
    """An object of the cluster, for as long as a test needs it."""
    text = json.dumps(manifest)
    kubectl("-n", namespace, "apply", "-f", "-", given=text)
    try:
        yield
    finally:
        kubectl("-n", namespace, "delete", "--ignore-not-found", "-f", "-", given=text)


#: What pman 6 uses, of Jobs also what it might: such a Role lets pods be read, and no more.
RULES_OF_PMAN_6 = [
    {
        "apiGroups": ["batch"],
        "resources": ["jobs"],
        "verbs": ["create", "get", "list", "watch", "update", "patch", "delete"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get", "list"]},
]


@contextmanager
def account_with(
    rules: list[dict[str, Any]], name: str, namespace: str = NAMESPACE
) -> Iterator[str]:
    """The token of an account that has these permissions, for as long as a test needs it."""
    api = "rbac.authorization.k8s.io"
    known = {"metadata": {"name": name}}
    subject = {"kind": "ServiceAccount", "name": name}
    role = {"apiGroup": api, "kind": "Role", "name": name}
    objects = [
        {"apiVersion": "v1", "kind": "ServiceAccount", **known},
        {"apiVersion": f"{api}/v1", "kind": "Role", **known, "rules": rules},
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            **known,
            "roleRef": role,
            "subjects": [subject],
        },
    ]
    with applied({"apiVersion": "v1", "kind": "List", "items": objects}, namespace):
        until(lambda: _has_the_role(namespace, name), bool)
        yield token_of(namespace, name)
