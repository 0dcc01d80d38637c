"""Pods meet the level that ``pman check`` names, by the published rules."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from k8s_jobs import BASE, CLAIMS
from pod_security_rules import SCCS, admitted_by, baseline, restricted, restricted_v2

from pman_core import HostPath, Mount, NfsPath, User
from pman_core.contract.storage import host_storage, nfs_storage
from pman_core.kit.settings import load
from pman_core.kit.user import parse_user
from pman_k8s.capabilities import capabilities
from pman_k8s.payload import job_payload
from pman_k8s.platform import KUBERNETES, OPENSHIFT, Platform
from pman_k8s.settings import K8sSettings

SETTINGS = load(K8sSettings, {})
#: As the core makes them; and one each as it does with STOREBASE_LINKS=follow.
HOST = (
    *host_storage("/data").mounts("in", "out"),
    Mount(HostPath("/data/in"), "/data/model", True),
)
NFS = (
    *nfs_storage("server", "/data").mounts("in", "out"),
    Mount(NfsPath("server", "/data/in"), "/data/model", True),
)
SOMEBODY, ROOT = User(uid=1001, gid=1002), User(uid=0, gid=0)

Rules = Callable[[dict[str, Any]], Iterator[str]]


def faults(rules: Rules, platform: Platform, **changes: Any) -> list[str]:
    job = attrs.evolve(BASE, shm_mib=64, **changes)
    return list(rules(job_payload("n", job, SETTINGS, platform)["spec"]["template"]["spec"]))


@pytest.mark.parametrize("user", [SOMEBODY, User(uid=1001)])
@pytest.mark.parametrize("platform", [KUBERNETES, OPENSHIFT])
def test_another_user_than_root_is_restricted(user: User, platform: Platform) -> None:
    assert faults(restricted, platform, user=user) == []


def test_without_a_user_openshift_gives_one_and_nothing_is_against_it() -> None:
    assert faults(restricted_v2, OPENSHIFT, user=None) == []
    assert faults(restricted, OPENSHIFT, user=None) == []


@pytest.mark.parametrize("user", [None, ROOT])
def test_a_root_image_is_baseline_and_not_more(user: User | None) -> None:
    assert faults(baseline, KUBERNETES, user=user) == []
    assert faults(restricted, KUBERNETES, user=user) != []


def test_nfs_is_baseline_and_host_folders_are_neither() -> None:
    assert faults(baseline, KUBERNETES, user=SOMEBODY, mounts=NFS) == []
    assert faults(restricted, KUBERNETES, user=SOMEBODY, mounts=NFS) != []
    assert faults(baseline, KUBERNETES, user=SOMEBODY, mounts=HOST) == [
        "hostPath volumes are forbidden"
    ]


def test_a_fixed_user_is_against_restricted_v2() -> None:
    assert faults(restricted_v2, OPENSHIFT, user=SOMEBODY, mounts=CLAIMS) == [
        "runAsUser must be left to the namespace"
    ]


MOUNTS = {"kubernetes_pvc": CLAIMS, "nfs": NFS, "host": HOST}

PRIVILEGED = "need the privileged Pod Security level"
BASELINE = "meet the baseline Pod Security level"
RESTRICTED = "meet the restricted Pod Security level"


@pytest.mark.parametrize(
    ("user", "storage", "told"),
    [
        ("1001:1002", "kubernetes_pvc", RESTRICTED),
        ("1001:1002", "", RESTRICTED),
        ("1000-2000:", "kubernetes_pvc", RESTRICTED),
        ("1001:1002", "nfs", BASELINE),
        ("1001:1002", "host", PRIVILEGED),
        ("0:0", "kubernetes_pvc", BASELINE),
        ("0-9:", "kubernetes_pvc", BASELINE),
        ("", "kubernetes_pvc", BASELINE),
        ("", "nfs", BASELINE),
        ("", "host", PRIVILEGED),
    ],
)
def test_check_says_which_level_pods_meet(user: str, storage: str, told: str) -> None:
    note = note_of(KUBERNETES, user, storage)
    assert told in note
    # The first user of a range is the one that may be root.
    rule = parse_user(user) if user else None
    uid = rule.uids.low if rule and rule.uids else None
    changes = {"user": User(uid=uid), "mounts": MOUNTS[storage or "kubernetes_pvc"]}
    met = {
        RESTRICTED: not faults(restricted, KUBERNETES, **changes),
        BASELINE: not faults(baseline, KUBERNETES, **changes),
        PRIVILEGED: True,
    }
    assert next(level for level, is_met in met.items() if is_met) == told


@pytest.mark.parametrize(
    ("user", "storage", "told"),
    [
        ("", "kubernetes_pvc", "restricted-v2"),
        ("", "", "restricted-v2"),
        ("1001:1002", "kubernetes_pvc", "nonroot-v2"),
        ("0:0", "kubernetes_pvc", "pman-claims"),
        ("0-9:", "kubernetes_pvc", "pman-claims"),
        ("1001:1002", "nfs", "pman-nfs"),
        ("0:0", "nfs", "pman-nfs"),
        ("1001:1002", "host", "pman-host"),
        ("0:0", "host", "pman-host"),
    ],
)
def test_check_says_which_constraint_pods_need(user: str, storage: str, told: str) -> None:
    """The one that it names admits the pods, and of the others none that grants less."""
    note = note_of(OPENSHIFT, user, storage)
    assert f"constraint {told}" in note
    assert "set CONTAINER_USER" not in note
    rule = parse_user(user) if user else None
    uid = rule.uids.low if rule and rule.uids else None
    changes = {"user": User(uid=uid), "mounts": MOUNTS[storage or "kubernetes_pvc"]}
    refused = {name: faults(admitted_by(scc), OPENSHIFT, **changes) for name, scc in SCCS.items()}
    admitting = [name for name, words in refused.items() if not words]
    assert admitting[0] == told, refused
    # OpenShift's own that are named like it do not suffice for what pman sets.
    assert refused["anyuid"]
    assert refused["hostmount-anyuid"]


@pytest.mark.parametrize("storage", ["nfs", "host"])
def test_check_says_where_no_constraint_gives_a_user(storage: str) -> None:
    assert "set CONTAINER_USER" in note_of(OPENSHIFT, "", storage)
    words = faults(admitted_by(SCCS[f"pman-{storage}"]), OPENSHIFT, mounts=MOUNTS[storage])
    assert words == ["the constraint gives no user, and the image may be root"]


def test_check_says_what_it_cannot_know() -> None:
    note = note_of(KUBERNETES, "1001:1002", "somebody-elses")
    assert f"{RESTRICTED}, if STORAGE_TYPE=somebody-elses mounts nothing but claims." in note


def test_settings_that_are_wrong_are_left_to_the_core() -> None:
    assert capabilities(KUBERNETES, SETTINGS, {"CONTAINER_USER": "root"}).notes


def note_of(platform: Platform, user: str, storage: str) -> str:
    environ = {"CONTAINER_USER": user, "STORAGE_TYPE": storage}
    return capabilities(platform, SETTINGS, environ).notes[0]
