"""A removal leaves nothing, on no node."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from engine_kit import runs, until
from swarm_kit import FOR_EVER, SwarmKit
from swarm_rest import JOBS, client_of, request

from pman_core import Status
from pman_core.contract.errors import UnknownJobError
from pman_core.kit.names import JID_LABEL

RUNS = f"echo run >> /share/outgoing/runs; {FOR_EVER}"


def assert_gone(harness: SwarmKit, jid: str) -> None:
    assert harness.pman().pman_remove(jid) is False
    with pytest.raises(UnknownJobError):
        harness.pman().pman_status(jid)
    assert harness.objects() == []
    until(harness.containers, lambda left: not left)


@pytest.fixture
def patient(harness: SwarmKit, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A pman that waits for what it removes, also where the machine is busy."""
    monkeypatch.setattr("pman_swarm.removal._END_WITHIN_S", 90.0)
    return harness.pman(ENGINE_TIMEOUT="90")


def test_running_containers_end_on_all_nodes_though_they_ignore_signals(
    harness: SwarmKit, patient: Any
) -> None:
    place = harness.place()
    job = harness.sized(harness.shell(RUNS, place), workers=4)
    patient.pman_submit(job)
    until(lambda: runs(place), lambda begun: begun == 4)
    assert patient.pman_remove(job.jid) is True
    assert harness.containers(ended=False) == []  # when the removal answers, nothing runs on
    assert_gone(harness, job.jid)


def test_ended_containers_are_removed_on_all_nodes(harness: SwarmKit) -> None:
    job = harness.sized(harness.shell("exit 3"), workers=4)
    pman = harness.pman()
    harness.run(job, pman)
    assert len(harness.containers()) == 4
    assert pman.pman_remove(job.jid) is True
    assert_gone(harness, job.jid)


@pytest.mark.parametrize("argv", [("/no/such",), ("true",)])
def test_a_job_that_could_not_start_is_removed(harness: SwarmKit, argv: tuple[str, ...]) -> None:
    image = "localhost:1/no-such:1" if argv == ("true",) else harness.job().image
    job = harness.job(*argv, image=image)
    pman = harness.pman()
    assert harness.run(job, pman).status is Status.FAILED
    assert pman.pman_remove(job.jid) is True
    assert_gone(harness, job.jid)


def test_a_job_that_waits_is_removed(harness: SwarmKit) -> None:
    pman = harness.pman(NODE_SELECTOR="pman.no=such")
    job = harness.shell("true")
    pman.pman_submit(job)
    assert pman.pman_remove(job.jid) is True
    assert_gone(harness, job.jid)


def test_a_job_that_pman_has_ended_is_removed(harness: SwarmKit) -> None:
    pman = harness.pman(NODE_SELECTOR="pman.no=such", START_DEADLINE="1")
    job = harness.shell("true")
    pman.pman_submit(job)
    assert harness.end_of(pman, job.jid).status is Status.FAILED
    assert pman.pman_remove(job.jid) is True
    assert_gone(harness, job.jid)


def test_a_job_that_is_removed_at_once_leaves_nothing(harness: SwarmKit) -> None:
    """The swarm may still be making its tasks, also after the removal has looked for them."""
    pman = harness.pman()
    for index in range(5):
        job = harness.sized(harness.shell(FOR_EVER, jid=f"{index} {{{{x}}}} a=b, ☃"), workers=4)
        pman.pman_submit(job)
        assert pman.pman_remove(job.jid) is True
        wanted = {"label": f"{JID_LABEL}={job.jid}"}
        until(partial(harness.swarm.manager.tasks, wanted), lambda left: not left)
        assert harness.containers(ended=False) == []


def test_a_half_removed_job_is_removed_wholly(harness: SwarmKit) -> None:
    """pman was killed while it waited: the swarm goes on."""
    place = harness.place()
    job = harness.shell(RUNS, place)
    harness.pman().pman_submit(job)
    until(lambda: runs(place), bool)
    harness.swarm.manager.remove_service(harness.name(job.jid))
    assert_gone(harness, job.jid)


def test_an_id_can_be_used_again_at_once(harness: SwarmKit) -> None:
    pman = harness.pman()
    places = [harness.place() for _ in range(3)]
    jid = ""
    for place in places:
        job = harness.shell(RUNS, place)
        jid = jid or job.jid
        pman.pman_remove(jid)
        pman.pman_submit(harness.shell(RUNS, place, jid=jid))
        until(lambda place=place: runs(place), bool)  # type: ignore[misc]
    after = harness.place()
    pman.pman_remove(jid)
    pman.pman_submit(harness.count(after, jid=jid))
    assert harness.end_of(pman, jid).status is Status.SUCCEEDED
    assert [runs(place) for place in [*places, after]] == [1, 1, 1, 1]


def test_eight_removals_at_once_are_no_error(harness: SwarmKit) -> None:
    for script in ("true", FOR_EVER):
        job = harness.shell(script)
        harness.pman().pman_submit(job)
        pmans = [harness.pman() for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            removed = list(pool.map(lambda pman, jid=job.jid: pman.pman_remove(jid), pmans))
        assert any(removed)
        assert_gone(harness, job.jid)


def test_eight_removals_over_rest_are_204_or_404(harness: SwarmKit) -> None:
    asked = request(harness, "sleep 100")
    clients = [client_of(harness) for _ in range(8)]
    clients[0].post(JOBS, json=asked)
    url = f"{JOBS}{asked['jid']}/"
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda client: client.delete(url).status_code, clients))
    assert set(codes) <= {204, 404}
    assert 204 in codes


def test_jobs_of_nobody_else_are_removed(harness: SwarmKit) -> None:
    kept, job = harness.shell("true"), harness.shell("true")
    pman = harness.pman()
    pman.pman_submit(kept)
    pman.pman_submit(job)
    assert pman.pman_remove(job.jid) is True
    assert harness.objects() == [harness.name(kept.jid)]
