"""The end of a log, however long it is."""

import tracemalloc

import pytest
from engine_kit import EngineKit, until

from pman_core import Resources, Status

MIB = 2**20


def test_a_big_log_costs_little_memory(harness: EngineKit) -> None:
    """300 MB in lines of 100 bytes."""
    line = "x" * 98
    script = (
        f"import sys; block = '{line}\\n' * 10000\n"
        "for _ in range(300): sys.stdout.write(block)\n"
        "print('the end')"
    )
    job = harness.job("python3", "-c", script, resources=Resources(memory_mib=256))
    info = harness.run(job)
    assert info.status is Status.SUCCEEDED, info
    pman = harness.pman()
    tracemalloc.start()
    try:
        log = pman.pman_logs(info, 1000, MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    lines = log.splitlines()
    assert (len(lines), lines[-1], lines[0]) == (1000, b"the end", line.encode())
    assert peak < 30 * MIB


def test_one_long_line_costs_little_memory(harness: EngineKit) -> None:
    """20 MB without an end; where an engine cannot give it, it says so."""
    job = harness.job(
        "python3",
        "-c",
        "import sys\nfor _ in range(20): sys.stdout.write('x' * 2**20)\nsys.stdout.write('end')",
    )
    info = harness.run(job)
    tracemalloc.start()
    try:
        log = harness.pman().pman_logs(info, 1000, MIB)
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
    harness: EngineKit, written: str, lines: int, wanted: bytes
) -> None:
    info = harness.run(harness.shell(f"printf '{written}'"))
    assert harness.pman().pman_logs(info, lines, MIB) == wanted


def test_long_lines_are_exact(harness: EngineKit) -> None:
    """Docker gives them in pieces of 16384 bytes, Podman in such of 8192."""
    sizes = (8191, 8192, 16383, 16384, 16385, 32767, 0, 32768, 100_000, 20_000)
    script = f"for size in {sizes}: print('x' * size)\nprint('last')"
    info = harness.run(harness.job("python3", "-c", script))
    pman = harness.pman()
    lines = [b"x" * size + b"\n" for size in sizes] + [b"last\n"]
    for number in (1, 2, 4, 5, 1000):
        assert pman.pman_logs(info, number, MIB) == b"".join(lines[-number:])
    assert pman.pman_logs(info, 1, 16383) == b"last\n"
    assert pman.pman_logs(info, 1000, 10) == b"xxxx\nlast\n"


@pytest.mark.parametrize(("mib", "line"), [(2, 41), (7, 9000)])
def test_the_end_of_a_big_block_buffered_log_is_exact(
    harness: EngineKit, mib: int, line: int
) -> None:
    """Blocks of 60,000 bytes, which end anywhere in a line."""
    script = (
        f"import os; lines = [b'%0{line - 1}d\\n' % n for n in range({mib} * 2**20 // {line})]\n"
        "text = b''.join(lines)\n"
        "for at in range(0, len(text), 60_000): os.write(1, text[at : at + 60_000])\n"
    )
    info = harness.run(harness.job("python3", "-c", script, resources=Resources(memory_mib=256)))
    assert info.status is Status.SUCCEEDED, info
    log = harness.pman().pman_logs(info, 5000, MIB)
    count = mib * 2**20 // line
    kept = [b"%0*d\n" % (line - 1, number) for number in range(count)][-5000:]
    assert log == b"".join(kept)[-MIB:]


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["no newline", "newline"])
def test_the_end_of_a_long_line_that_is_the_last_is_exact(harness: EngineKit, end: bytes) -> None:
    """Docker 20.10 can tell it where it splits the line without a rest."""
    script = f"import sys; sys.stdout.buffer.write(b'x' * 32768 + {end!r})"
    info = harness.run(harness.job("python3", "-c", script))
    assert harness.log(info) == b"x" * 32768 + end


def test_a_log_is_live(harness: EngineKit) -> None:
    job = harness.shell("echo one; while [ ! -e /share/incoming/go ]; do sleep 0.1; done; echo two")
    pman = harness.pman()
    info = pman.pman_submit(job)
    assert until(lambda: pman.pman_logs(info, 10, MIB), bool) == b"one\n"
    assert pman.pman_status(job.jid).status is Status.STARTED
    harness.folder.joinpath(str(job.mounts[0].source.path).rpartition("/")[0], "in", "go").touch()  # type: ignore[union-attr]
    harness.end_of(pman, job.jid)
    assert pman.pman_logs(info, 10, MIB) == b"one\ntwo\n"


def test_both_streams_are_there(harness: EngineKit) -> None:
    info = harness.run(harness.shell("echo out; echo err >&2"))
    assert sorted(harness.log(info).splitlines()) == [b"err", b"out"]
