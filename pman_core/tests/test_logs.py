"""The end of a log: exact, and in bounded memory."""

import random
import tracemalloc
from collections.abc import Iterator

import pytest

from pman_core.kit.logs import TailBuffer, tail, tail_of_workers, worker_header


def naive(data: bytes, tail_lines: int, max_bytes: int) -> bytes:
    """The same with all of the log in memory."""
    whole = data[-max_bytes:].split(b"\n")
    lines = [line + b"\n" for line in whole[:-1]] + ([whole[-1]] if whole[-1] else [])
    return b"".join(lines[-tail_lines:])


def cut(chance: random.Random, data: bytes) -> Iterator[bytes]:
    while data:
        size = chance.choice([0, 1, 2, 3, 7, 64, 1000])
        yield data[:size]
        data = data[size:]


@pytest.mark.parametrize("seed", range(300))
def test_the_end_is_exact_wherever_the_stream_is_cut(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    pieces = [b"\n", b"\n\n", b"a", b"line\n", b"\xff\0", b"\r\n", b"long " * 20, "€".encode()]
    data = b"".join(chance.choices(pieces, k=chance.choice([0, 1, 3, 20, 300])))
    for lines in (1, 2, 5, 1000):
        for size in (1, 2, 10, 100, 10**6):
            assert tail(cut(chance, data), lines, size) == naive(data, lines, size)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", b""),
        (b"\n", b"\n"),
        (b"a", b"a"),
        (b"a\nb", b"a\nb"),
        (b"a\nb\n", b"a\nb\n"),
        (b"a\nb\nc", b"b\nc"),
        (b"a\nb\nc\n", b"b\nc\n"),
        (b"a\n\n\n", b"\n\n"),
        (b"a\rb\rc\r", b"a\rb\rc\r"),
    ],
)
def test_two_lines_are_two_lines(data: bytes, expected: bytes) -> None:
    assert tail([data], 2, 100) == expected


def test_a_log_can_be_read_while_it_grows() -> None:
    buffer = TailBuffer(2, 100)
    seen = []
    for chunk in (b"a\n", b"b", b"b\nc", b"\n"):
        buffer.feed(chunk)
        seen.append(buffer.value())
    assert seen == [b"a\n", b"a\nb", b"bb\nc", b"bb\nc\n"]
    assert buffer.value() == b"bb\nc\n", "reading takes nothing away"


def test_memory_is_bounded_however_long_the_log_is() -> None:
    size, chunk = 100_000, b"x" * 999 + b"\n"
    buffer = TailBuffer(10**9, size)
    tracemalloc.start()
    for _ in range(20_000):
        buffer.feed(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * size
    assert buffer.value() == (chunk * 100)[-size:]


def test_a_log_without_lines_is_bounded_too() -> None:
    assert tail((b"x" * 1000 for _ in range(1000)), 1, 5000) == b"x" * 5000


@pytest.mark.parametrize(("lines", "size"), [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_an_end_of_nothing_is_refused_and_not_all_of_the_log(lines: int, size: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        TailBuffer(lines, size)
    with pytest.raises(ValueError, match="at least 1"):
        tail([b"log"], lines, size)


def test_each_worker_has_a_share_of_the_lines_and_of_the_bytes() -> None:
    asked = []

    def read(index: int, lines: int, size: int) -> list[bytes]:
        asked.append((index, lines, size))
        return [b"quiet"] if index == 0 else [b"loud\n" * 1000]

    logs = tail_of_workers(read, 2, 6, 1000)
    assert logs == worker_header(1, 2) + b"quiet\n" + worker_header(2, 2) + b"loud\n" * 2
    assert asked == [(0, 2, 477), (1, 2, 477)]
    for size in (50, 60, 100, 1000):
        assert len(tail_of_workers(read, 2, 1000, size)) <= size


def test_a_single_worker_has_no_header_and_everything() -> None:
    assert tail_of_workers(lambda *asked: [b"%d %d %d" % asked], 1, 7, 99) == b"0 7 99"


@pytest.mark.parametrize("workers", [3, 100])
def test_more_workers_than_room_are_no_error(workers: int) -> None:
    last = worker_header(workers, workers) + b"two"
    assert tail_of_workers(lambda *_: [b"one\ntwo"], workers, 4, 10**4).endswith(b"\n" + last)
    assert len(tail_of_workers(lambda *_: [b"one\ntwo"], workers, 4, 30)) == 30


def test_the_header_of_a_worker_is_a_line() -> None:
    assert worker_header(2, 3) == b"==> worker 2 of 3 <==\n"
