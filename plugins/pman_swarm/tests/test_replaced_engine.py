"""A manager that is upgraded or replaced behind its address, while pman runs on."""

import pytest
from engine_standin import job
from swarm_standin import play_swarm

from pman_core import Status


@pytest.mark.parametrize("versions", [(12, 40), (44, 51)], ids=["older", "newer"])
def test_other_versions_of_the_api_are_no_fault(versions: tuple[int, int]) -> None:
    with play_swarm() as made:
        made.pman.pman_submit(job())
        made.swarm.versions = versions
        assert made.pman.pman_status("aa").status is Status.STARTED
        assert made.pman._engine.now()


def test_what_the_node_is_is_asked_again_where_the_engine_was_replaced() -> None:
    with play_swarm() as made:
        made.pman.pman_submit(job())
        assert made.pman._swarm.node().id == "n1"
        made.swarm.version, made.swarm.node = "2", "n2"
        made.pman.pman_status("aa")
        assert made.pman._swarm.node().id == "n2"
        made.swarm.asked.clear()
        assert made.pman._swarm.node().engine_info.version == "2"
        assert made.swarm.asked == []
