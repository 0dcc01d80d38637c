"""The log of a job."""

from __future__ import annotations

import resource

import attrs
from jobs_kit import Harness, until

from pman_kit.layout import LOG, OLD_LOG


def test_the_job_cannot_cut_its_log_off_by_opening_it_again(harness: Harness) -> None:
    harness.run(harness.shell("echo one; echo two > /dev/stderr; echo three | tee /dev/stderr"))
    assert harness.log() == b"one\ntwo\nthree\nthree\n"


def test_the_end_of_a_huge_log_costs_neither_time_nor_memory(harness: Harness) -> None:
    harness.run(harness.job("true"))
    log = harness.folders / "job-1" / LOG
    with log.open("wb") as file:
        file.truncate(4 << 30)  # a hole: reading it all would still take 4 GiB
        file.seek(0, 2)
        file.write(b"\nlast but one\nlast\n")
    before = resource.getrusage(resource.RUSAGE_SELF)
    backend = harness.jobs
    info = backend.status("job-1")
    assert backend.logs(info, 2, 2**20) == b"last but one\nlast\n"
    assert len(backend.logs(info, 1000, 2**20)) == 2**20
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_maxrss - before.ru_maxrss < 32 << 10  # KiB
    assert after.ru_inblock - before.ru_inblock < 1 << 16


def test_a_log_that_grows_too_long_keeps_its_end(harness: Harness) -> None:
    harness = attrs.evolve(harness, log_max_mib=1)
    assert harness.run(harness.shell("seq 1000000; echo end")).exit_code == 0
    folder = harness.folders / "job-1"
    sizes = [(folder / name).stat().st_size for name in (LOG, OLD_LOG)]
    assert sum(sizes) < 3 << 19  # the limit, and one piece more than half of it
    lines = harness.log().splitlines()
    assert lines == [str(number).encode() for number in range(999002, 1000001)] + [b"end"]


def test_what_both_parts_of_a_log_hold_is_read_as_one(harness: Harness) -> None:
    harness.run(harness.job("true"))
    (harness.folders / "job-1" / OLD_LOG).write_bytes(b"one\ntwo\nthr")
    (harness.folders / "job-1" / LOG).write_bytes(b"ee\nfour\n")
    backend = harness.jobs
    info = backend.status("job-1")
    assert backend.logs(info, 3, 2**20) == b"two\nthree\nfour\n"
    assert backend.logs(info, 100, 12) == b"\nthree\nfour\n"


def test_all_that_was_written_before_the_end_is_in_the_log_then(
    harness: Harness,
) -> None:
    for number in range(10):
        jid = f"job-{number}"
        harness.run(harness.shell("setsid sleep 1000 & seq 9000; echo the end", jid=jid))
        assert harness.log(jid).endswith(b"\n9000\nthe end\n")


def test_a_job_that_closes_its_output_runs_on(harness: Harness) -> None:
    harness.jobs.submit(
        harness.shell("echo before; exec >&- 2>&-; until [ -e go ]; do sleep 0.01; done; exit 3")
    )
    until(lambda: harness.log() == b"before\n", "the log")
    (harness.out / "go").touch()
    assert harness.end().exit_code == 3
