"""The end of the logs: of all workers, on all nodes, in all states."""

import re
import tracemalloc

import pytest
from engine_kit import until
from swarm_kit import FIRST, FOR_EVER, SECOND, SwarmKit
from swarm_subjects import RealSwarm

from pman_core import JobInfo, Status
from pman_core.contract.errors import UnknownJobError

MIB = 2**20


def tail(harness: SwarmKit, info: JobInfo, lines: int = 1000, size: int = MIB) -> bytes:
    found: bytes = harness.pman().pman_logs(info, lines, size)
    return found


@pytest.mark.parametrize("label", [FIRST, SECOND], ids=["first", "second"])
def test_both_streams_are_exact_on_every_node(
    harness: SwarmKit, two_nodes: RealSwarm, label: str
) -> None:
    """No terminal adds carriage returns, and no byte is spoilt."""
    script = r"printf 'out\r\n\0b\377\376\n'; printf 'err\nerr 2\n' >&2"
    info = harness.run(harness.shell(script), harness.pman(NODE_SELECTOR=label))
    log = harness.log(info)
    assert sorted(log.split(b"\n")) == sorted([b"out\r", b"\0b\xff\xfe", b"err", b"err 2", b""])


@pytest.mark.parametrize("size", [16383, 16385, 100_000])
def test_long_lines_are_exact(harness: SwarmKit, size: int) -> None:
    script = f"print('first'); print('x' * {size}); print('last')"
    info = harness.run(harness.job("python3", "-c", script))
    assert tail(harness, info, 2) == b"x" * size + b"\nlast\n"
    assert tail(harness, info, 1000, 10) == b"xxxx\nlast\n"


def test_a_big_log_costs_little_memory(harness: SwarmKit) -> None:
    """30 MB in lines of 100 bytes."""
    script = f"for _ in range(300): print('\\n'.join(['{'x' * 99}'] * 1000))\nprint('the end')"
    info = harness.run(harness.job("python3", "-c", script))
    tracemalloc.start()
    try:
        log = tail(harness, info)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(log.splitlines()), log[-9:]) == (1000, b"\nthe end\n")
    assert peak < 10 * MIB


def test_a_log_is_live(harness: SwarmKit) -> None:
    place = harness.place()
    script = "echo one; while [ ! -e /share/incoming/go ]; do sleep 0.1; done; echo two"
    job = harness.shell(script, place)
    pman = harness.pman()
    info = pman.pman_submit(job)
    assert until(lambda: pman.pman_logs(info, 10, MIB), bool) == b"one\n"
    until(lambda: pman.pman_status(job.jid), lambda info: info.status is Status.STARTED)
    (place / "in" / "go").touch()
    harness.end_of(pman, job.jid)
    assert pman.pman_logs(info, 10, MIB) == b"one\ntwo\n"


@pytest.mark.parametrize("label", [FIRST, SECOND] * 3)
def test_a_job_whose_log_has_lines_has_begun(
    harness: SwarmKit, two_nodes: RealSwarm, label: str
) -> None:
    """The node that starts a job knows it before the swarm does."""
    pman = harness.pman(NODE_SELECTOR=label)
    info = pman.pman_submit(harness.shell(f"echo one; {FOR_EVER}"))
    until(lambda: pman.pman_logs(info, 10, MIB), bool)
    assert pman.pman_status(info.jid).status is Status.STARTED


def test_each_worker_has_its_share_under_its_header(harness: SwarmKit) -> None:
    """Also one that writes much, or does not end its last line."""
    script = "for n in $(seq 1000); do echo line $n; done; printf 'last one'"
    info = harness.run(harness.sized(harness.shell(script), workers=3))
    headers = [b"==> worker %d of 3 <==" % number for number in (1, 2, 3)]
    for lines, size in ((30, MIB), (1000, 3000)):
        log = tail(harness, info, lines, size)
        found = log.split(b"\n")
        assert [line for line in found if line.startswith(b"==>")] == headers
        assert found.count(b"last one") == 3
        assert found[0] == headers[0]
        assert lines - 6 <= len(log.splitlines()) <= lines or size - 90 <= len(log) <= size


def test_what_was_rejected_has_an_empty_log(harness: SwarmKit) -> None:
    info = harness.run(harness.job("true", image="localhost:1/no-such:1"))
    assert info.status is Status.FAILED
    assert tail(harness, info) == b""


def test_the_log_of_a_program_that_cannot_be_started_has_the_words_of_the_init(
    harness: SwarmKit,
) -> None:
    log = tail(harness, harness.run(harness.job("/no/such")))
    assert re.fullmatch(rb"\[FATAL tini \(\d+\)\] exec /no/such failed: .*\n", log)


def test_what_waits_has_an_empty_log(harness: SwarmKit) -> None:
    """The engine would write into the log that it could not find it."""
    pman = harness.pman(NODE_SELECTOR="pman.no=such")
    job = harness.sized(harness.shell("true"), workers=2)
    info = pman.pman_submit(job)
    assert b"Error" not in pman.pman_logs(info, 10, MIB)
    until(lambda: harness.tasks(job.jid), lambda tasks: len(tasks) == 2)
    assert pman.pman_logs(info, 10, MIB) == b"==> worker 1 of 2 <==\n==> worker 2 of 2 <==\n"


def test_the_log_of_a_removed_job_is_that_of_no_job(harness: SwarmKit) -> None:
    pman = harness.pman()
    info = harness.run(harness.shell("echo one"), pman)
    assert pman.pman_remove(info.jid)
    with pytest.raises(UnknownJobError):
        pman.pman_logs(info, 10, MIB)


def test_a_log_that_is_gone_with_its_container_is_empty(harness: SwarmKit) -> None:
    """A restart of Docker removes the containers that have ended on its node."""
    info = harness.run(harness.shell("echo one"))
    ((node, container),) = harness.swarm.containers(info.native)
    node.remove_container(container["Id"], force=True)
    assert tail(harness, info) == b""
    assert harness.pman().pman_status(info.jid) == info
