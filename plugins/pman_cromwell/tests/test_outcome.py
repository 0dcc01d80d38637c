"""How a run ended, in the words of a node."""

import pytest

from pman_core.kit import outcome as kit
from pman_cromwell.share.pman_slurm import outcome as node

_ENDS: list[tuple[node.Outcome, kit.Outcome]] = [
    (node.exited(0), kit.exited(0)),
    (node.exited(3), kit.exited(3)),
    (node.exited(137), kit.exited(137)),
    (
        node.exited(137, probably_memory=True),
        kit.exited(137, probably_memory=True),
    ),
    (node.exited(-9), kit.signalled(9)),
    (node.signalled(15), kit.signalled(15)),
    (node.signalled(35), kit.signalled(35)),
    (node.out_of_memory(), kit.out_of_memory()),
    (node.out_of_memory(3), kit.out_of_memory(3)),
    (node.out_of_memory(None), kit.out_of_memory(None)),
    (node.over_time_limit(5), kit.over_time_limit(5)),
    (node.cannot_start("why"), kit.cannot_start("why")),
    (node.CannotStartError("why").outcome, kit.cannot_start("why", 127)),
    (node.not_started_in_time(5, "why"), kit.not_started_in_time(5, "why")),
    (node.lost("why"), kit.lost("why")),
]


@pytest.mark.parametrize(("on_node", "in_kit"), _ENDS)
def test_an_end_has_the_same_words_on_a_node_as_on_every_engine(
    on_node: node.Outcome, in_kit: kit.Outcome
) -> None:
    assert on_node.message == in_kit.message
    assert (on_node.reason, on_node.code) == (in_kit.reason, in_kit.exit_code)
