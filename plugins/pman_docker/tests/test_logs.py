"""The end of a log, however long it is."""

import tracemalloc

import pytest
from engine_bench import Bench, until

from pman_core import Resources, Status

MIB = 2**20


def test_a_big_log_costs_little_memory(bench: Bench) -> None:
    """300 MB in lines of 100 bytes."""
    line = "x" * 98
    script = (
        f"import sys; block = '{line}\\n' * 10000\n"
        "for _ in range(300): sys.stdout.write(block)\n"
        "print('the end')"
    )
    job = bench.job("python3", "-c", script, resources=Resources(memory_mib=256))
    info = bench.run(job)
    assert info.status is Status.SUCCEEDED, info
    pman = bench.pman()
    tracemalloc.start()
    try:
        log = pman.pman_logs(info, 1000, MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    lines = log.splitlines()
    assert (len(lines), lines[-1], lines[0]) == (1000, b"the end", line.encode())
    assert peak < 30 * MIB


def test_one_long_line_costs_little_memory(bench: Bench) -> None:
    """20 MB without an end; where an engine cannot give it, it says so."""
    job = bench.job(
        "python3",
        "-c",
        "import sys\nfor _ in range(20): sys.stdout.write('x' * 2**20)\nsys.stdout.write('end')",
    )
    info = bench.run(job)
    tracemalloc.start()
    try:
        log = bench.pman().pman_logs(info, 1000, MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(log), log[-4:]) == (MIB, b"xend")
    assert peak < 30 * MIB


@pytest.mark.parametrize(
    ("written", "lines", "wanted"),
    [
        (r"abc", 1, b"abc"),
        (r"a\nb", 1, b"b"),
        (r"a\nb", 5, b"a\nb"),
        (r"a\nb\n", 1, b"b\n"),
        (r"a\r\n\0b\n\377\376", 3, b"a\r\n\0b\n\xff\xfe"),
        (r"", 5, b""),
    ],
)
def test_lines_without_an_end_are_exact(
    bench: Bench, written: str, lines: int, wanted: bytes
) -> None:
    info = bench.run(bench.shell(f"printf '{written}'"))
    assert bench.pman().pman_logs(info, lines, MIB) == wanted


@pytest.mark.parametrize("size", [16383, 16385, 100_000])
def test_long_lines_are_exact(bench: Bench, size: int) -> None:
    script = f"print('first'); print('x' * {size}); print('last')"
    info = bench.run(bench.job("python3", "-c", script))
    pman = bench.pman()
    assert pman.pman_logs(info, 2, MIB) == b"x" * size + b"\nlast\n"
    assert pman.pman_logs(info, 1000, 10) == b"xxxx\nlast\n"


def test_a_log_is_live(bench: Bench) -> None:
    job = bench.shell("echo one; while [ ! -e /share/incoming/go ]; do sleep 0.1; done; echo two")
    pman = bench.pman()
    info = pman.pman_submit(job)
    assert until(lambda: pman.pman_logs(info, 10, MIB), bool) == b"one\n"
    assert pman.pman_status(job.jid).status is Status.STARTED
    bench.folder.joinpath(str(job.mounts[0].source.path).rpartition("/")[0], "in", "go").touch()  # type: ignore[union-attr]
    bench.end_of(pman, job.jid)
    assert pman.pman_logs(info, 10, MIB) == b"one\ntwo\n"


def test_both_streams_are_there(bench: Bench) -> None:
    info = bench.run(bench.shell("echo out; echo err >&2"))
    assert sorted(bench.log(info).splitlines()) == [b"err", b"out"]
