"""A limit that the engine drops is told, whatever its warning looks like."""

import pytest

from pman_core import Job, Resources
from pman_docker.limits import dropped_limit

DISCARDED = (
    "Your kernel does not support memory limit capabilities or the cgroup is not mounted. "
    "Limitation discarded.",
    "Your kernel does not support CPU cfs quota. Quota discarded.",
    "Resource limits are not supported and ignored on cgroups V1 rootless systems",
)
HARMLESS = (
    "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory "
    "limited without swap.",
    "Your kernel does not support PIDs limit capabilities. PIDs limit discarded.",
)
LIMITED = Job(jid="a1", image="i", argv=("x",), resources=Resources(memory_mib=100))
UNLIMITED = Job(jid="a1", image="i", argv=("x",))


@pytest.mark.parametrize("warning", DISCARDED)
def test_a_limit_that_is_dropped_is_found(warning: str) -> None:
    assert dropped_limit(["something else", warning], LIMITED) == warning


@pytest.mark.parametrize("warning", DISCARDED)
def test_a_job_without_limits_loses_none(warning: str) -> None:
    assert dropped_limit([warning], UNLIMITED) is None


@pytest.mark.parametrize("warning", HARMLESS)
def test_what_the_job_did_not_ask_for_is_not_its_limit(warning: str) -> None:
    assert dropped_limit([warning], LIMITED) is None
