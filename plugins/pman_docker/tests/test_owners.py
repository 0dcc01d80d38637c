"""Whose jobs are listed."""

import attrs
from engine_standin import job, play

from pman_core import JobFilter


def test_a_list_of_one_owner_looks_at_no_others_jobs() -> None:
    with play() as made:
        made.pman.pman_submit(attrs.evolve(job("aa"), owner="one"))
        made.pman.pman_submit(attrs.evolve(job("bb"), owner="other"))
        made.pman.pman_submit(attrs.evolve(job("cc", image="far:1"), owner="one"))
        made.until_quiet()
        made.engine.asked.clear()
        page = made.pman.pman_list(JobFilter(owner="one"), 10, None)
        assert [(info.jid, info.owner) for info in page.jobs] == [("aa", "one"), ("cc", "one")]
        assert not made.engine.count("/bb/")
