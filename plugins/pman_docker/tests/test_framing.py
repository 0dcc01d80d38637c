"""What the engine gives piece by piece is put together as it was written."""

import pytest

from pman_docker.framing import PIECE, contents, frames, news, rejoined

STAMP = b"2026-11-21T13:22:45.908040449Z "
AT_HOME = b"2026-11-21T14:22:45.908040449+01:00 "

#: Lines that Docker does not split, splits with a rest, and splits without.
LINES = [b"x" * size for size in (0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 9)]


def frame(data: bytes, stream: int = 1) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def pieces(line: bytes, end: bytes) -> list[bytes]:
    """As Docker gives a line with timestamps; ``end`` is how it ends one that it split."""
    if len(line) < PIECE:
        return [STAMP + line + b"\n"]
    full = len(line) // PIECE * PIECE
    return [STAMP + line[at : at + PIECE] for at in range(0, full, PIECE)] + [
        STAMP + line[full:] + end
    ]


def joined(*given: tuple[int, bytes]) -> bytes:
    return b"".join(rejoined(given))


@pytest.mark.parametrize("size", [1, 3, 8, 9, 1000])
def test_a_log_is_read_however_it_is_cut(size: int) -> None:
    whole = frame(b"one\n") + frame(b"", 2) + frame(b"two", 2) + frame(bytes(range(256)))
    chunks = [whole[start : start + size] for start in range(0, len(whole), size)]
    assert list(frames(chunks)) == [(1, b"one\n"), (2, b""), (2, b"two"), (1, bytes(range(256)))]


def test_a_log_that_breaks_off_is_read_that_far() -> None:
    assert list(frames([frame(b"one") + frame(b"two", 2)[:-2]])) == [(1, b"one"), (2, b"t")]


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["Docker 20.10", "Docker 23"])
@pytest.mark.parametrize("first", LINES, ids=len)
def test_lines_that_docker_splits_are_exact(first: bytes, end: bytes) -> None:
    for second in LINES:
        given = [(1, piece) for line in (first, second, b"z") for piece in pieces(line, end)]
        assert joined(*given) == first + b"\n" + second + b"\nz\n"


def test_each_stream_is_exact_where_both_have_split_lines() -> None:
    given = [
        (1, STAMP + b"o" * PIECE),
        (2, STAMP + b"e" * PIECE),
        (2, STAMP + b"e" * 9),
        (1, STAMP + b"o" * 5),
        (1, STAMP + b"next\n"),
        (2, STAMP),
        (2, STAMP + b"last\n"),
    ]
    out, err = b"o" * PIECE + b"%s" + b"o" * 5 + b"\nnext\n", b"e" * (PIECE + 9)
    assert joined(*given) == out % err + b"\n\nlast\n"


def test_the_end_of_a_stream_is_exact_but_for_the_newline_that_docker_does_not_tell() -> None:
    long = (1, STAMP + b"x" * PIECE)
    assert joined((1, STAMP + b"x")) == b"x"
    assert joined(long) == b"x" * PIECE
    assert joined(long, (1, STAMP)) == b"x" * PIECE + b"\n"
    assert joined(long, (1, STAMP + b"y")) == b"x" * PIECE + b"y"
    assert joined(long, (1, STAMP + b"y\n")) == b"x" * PIECE + b"y\n"


def test_the_first_pieces_of_a_line_may_be_missing() -> None:
    """The tail of a log begins with any piece."""
    assert joined((1, STAMP + b"rest"), (1, STAMP + b"z\n")) == b"rest\nz\n"
    assert joined((1, STAMP), (1, STAMP + b"z\n")) == b"\nz\n"


@pytest.mark.parametrize("written", [STAMP + b"x", b" \r", b"\0\xff ", STAMP, b" "])
@pytest.mark.parametrize("stamp", [STAMP, AT_HOME])
def test_nothing_but_the_timestamp_is_taken_away(written: bytes, stamp: bytes) -> None:
    assert joined((1, stamp + written + b"\n")) == written + b"\n"


def test_the_engines_own_words_are_given() -> None:
    words = b"Error grabbing logs: unexpected EOF\n"
    assert joined((1, STAMP + b"one\n"), (2, words)) == b"one\n" + words


def test_what_podman_gives_stays_as_it_is() -> None:
    """Its pieces are of any size, and it loses no newline."""
    given = [b"x" * PIECE, b"ab", b"c\n", b"", STAMP + b"d\n"]
    assert b"".join(contents((1, piece) for piece in given)) == b"".join(given)


def test_news_come_line_by_line() -> None:
    assert list(news([b'{"status": "x"}', b"", b'{"error": "y"}'])) == [
        {"status": "x"},
        {"error": "y"},
    ]
