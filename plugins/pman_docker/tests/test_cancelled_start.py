"""A client that goes away while its container is started: the job runs, and runs once."""

import itertools
import socket
import time

from engine_kit import EngineKit, runs, until
from engine_subjects import RealEngine

from pman_core import Job, Status

#: Seconds after which the client goes away: a start takes some tens of milliseconds.
MOMENTS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.08)


def go_away_during_start(engine: RealEngine, container: str, after_s: float) -> None:
    """Ask for a start, and close the connection before the answer comes."""
    request = f"POST /containers/{container}/start HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(engine.host.removeprefix("unix://"))
        client.sendall(request.encode())
        time.sleep(after_s)  # the moment is what this varies


def cancels_starts(engine: RealEngine) -> bool:
    """Docker does since 25 (API 1.44)."""
    major, minor = engine.api.api_version.split(".")
    return engine.name == "docker" and (int(major), int(minor)) >= (1, 44)


def was_cancelled(harness: EngineKit, job: Job) -> bool:
    """Wait for what became of a start; whether it was cancelled."""
    state = until(
        lambda: harness.inspect(harness.name(job.jid))["State"],
        lambda state: state["Status"] != "created" or state["Error"],
    )
    return bool(state["Status"] == "created")


def test_a_start_whose_client_goes_away_is_one_run(harness: EngineKit) -> None:
    """Docker 26 keeps a cancelled start as an error of the container; others go on with it."""
    places, jobs, cancelled = [], [], 0
    for moment in itertools.cycle(MOMENTS):
        places.append(harness.place())
        jobs.append(harness.count(places[-1]))
        go_away_during_start(harness.engine, harness.never_started(jobs[-1]), moment)
        cancelled += was_cancelled(harness, jobs[-1])
        if len(jobs) >= len(MOMENTS) and (cancelled >= 2 or not cancels_starts(harness.engine)):
            break
        assert len(jobs) < 100, "no start was cancelled"
    pman = harness.pman(ENGINE_TIMEOUT="5")  # what was not started counts as abandoned after ten
    pman.pman_resume()
    ends = [harness.end_of(pman, job.jid) for job in jobs]
    assert {info.status for info in ends} == {Status.SUCCEEDED}, ends
    harness.until_quiet()
    assert [runs(place) for place in places] == [1] * len(places)
    assert all(pman.pman_remove(job.jid) for job in jobs)
    assert harness.objects() == []
