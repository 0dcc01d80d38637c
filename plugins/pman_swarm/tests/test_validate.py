"""Jobs that a swarm cannot run are refused before it gets them."""

import attrs
import pytest

from pman_core import Job, Resources
from pman_core.contract.errors import InvalidJobError, UnsupportedError
from pman_core.kit.settings import load
from pman_docker.engine_info import EngineInfo
from pman_swarm.backend import SwarmBackend
from pman_swarm.client import Node
from pman_swarm.settings import SwarmSettings
from pman_swarm.validate import validate

SETTINGS = load(SwarmSettings, {})
JOB = Job(
    jid="j",
    image="some/image:1",
    argv=("program",),
    resources=Resources(memory_mib=64),
    fingerprint="v1-abc",
)
LONG = "x" * 130_000


@pytest.mark.parametrize(
    "large",
    [
        attrs.evolve(JOB, argv=("program", *[LONG] * 4)),
        attrs.evolve(JOB, env={f"E{number}": LONG for number in range(4)}),
        attrs.evolve(JOB, labels={f"l{number}": LONG for number in range(2)}),
    ],
    ids=["argv", "env", "labels"],
)
def test_a_job_that_could_stop_a_whole_swarm_is_refused(large: Job) -> None:
    with pytest.raises(InvalidJobError, match="too large for a swarm") as caught:
        validate(large, SETTINGS)
    assert LONG not in str(caught.value)


def test_a_job_is_large_where_a_few_could_overfill_a_message_of_the_managers() -> None:
    """A batch of tasks may be 3/4 full before the last one comes."""
    with pytest.raises(InvalidJobError, match="too large for a swarm"):
        validate(attrs.evolve(JOB, argv=("program", *["x" * 98_304] * 4)), SETTINGS)
    validate(attrs.evolve(JOB, argv=("program", *["x" * 115_000] * 3)), SETTINGS)


def test_each_worker_of_a_job_has_a_copy_of_everything() -> None:
    def sized(workers: int) -> Job:
        resources = Resources(workers=workers, memory_mib=64)
        return attrs.evolve(JOB, argv=("program", LONG), resources=resources)

    validate(sized(100), SETTINGS)
    with pytest.raises(InvalidJobError) as caught:
        validate(sized(1000), SETTINGS)
    assert list(caught.value.faults) == ["number_of_workers"]
    assert LONG not in str(caught.value)
    validate(attrs.evolve(JOB, resources=Resources(workers=1000, memory_mib=64)), SETTINGS)


def test_a_job_with_one_argument_of_the_greatest_length_is_taken() -> None:
    validate(attrs.evolve(JOB, argv=("program", "x" * 131071)), SETTINGS)


def test_what_no_container_can_be_is_refused_too() -> None:
    with pytest.raises(InvalidJobError, match="must begin with a program"):
        validate(attrs.evolve(JOB, argv=()), SETTINGS)


def test_a_manager_that_enforces_no_limits_gets_no_job_with_limits() -> None:
    pman = SwarmBackend({"DOCKER_HOST": "unix:///run/pman-no-engine.sock"})
    engine_info = EngineInfo(
        "Docker", "20.10", rootless=True, enforces_limits=False, limits_swap=False
    )
    pman._engine._info = engine_info
    pman._swarm._node = Node("some-node", engine_info)
    with pytest.raises(UnsupportedError, match="IGNORE_LIMITS=yes"):
        pman.pman_submit(JOB)
