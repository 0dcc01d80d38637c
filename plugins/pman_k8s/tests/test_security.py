"""Pods meet the level that ``pman check`` tells, by the published rules."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from k8s_jobs import BASE, CLAIMS
from pod_security import baseline, restricted, restricted_v2

from pman_core import HostPath, Mount, NfsPath, User
from pman_core.settings import load
from pman_k8s.declared import capabilities
from pman_k8s.payload import job_payload
from pman_k8s.platform import KUBERNETES, OPENSHIFT, Platform
from pman_k8s.settings import K8sSettings

SETTINGS = load(K8sSettings, {})
HOST = (Mount(HostPath("/data/in"), "/share/incoming", True),)
NFS = (Mount(NfsPath("server", "/in"), "/share/incoming", True),)
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


@pytest.mark.parametrize(
    ("platform", "words"), [(KUBERNETES, "restricted Pod Security"), (OPENSHIFT, "restricted-v2")]
)
def test_check_says_which_level_pods_need(platform: Platform, words: str) -> None:
    assert any(words in note for note in capabilities(platform, SETTINGS).notes)
