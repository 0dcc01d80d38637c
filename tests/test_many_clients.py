"""Many clients that ask as CUBE does see no wrong state and no error."""

import pytest
from engine_subjects import why_missing
from kills import campaign
from many_clients import Clients

from pman_core.testing.pytest_plugin import Engines

JOBS, AT_ONCE, SECONDS = 12, 6, 20
LONGEST_S = 6


@pytest.mark.parametrize("backend", ["process", "docker"])
def test_many_clients_see_no_wrong_state_and_no_error(backend: str, engines: Engines) -> None:
    if backend != "process":
        engines.need(backend, why_missing(backend))
    with campaign(backend, seed=JOBS) as running:
        clients = Clients(running, LONGEST_S)
        clients.run(JOBS, AT_ONCE, SECONDS)
        clients.remove_all()
    assert clients.faults == []
    assert any(job.has_ended for job in clients.jobs)
    assert clients.tally["answers"] > JOBS
