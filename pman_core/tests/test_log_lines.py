"""What comes from outside cannot forge lines of the log."""

import io
import logging
from collections.abc import Iterator

import pytest

from pman_core.log_lines import LINE, SafeFormatter, escaped

FORGED = "far\n[2026-11-26 00:00:00 +0000] [1] [ERROR] all jobs are lost"

Logged = tuple[logging.Logger, io.StringIO]


@pytest.fixture
def logged() -> Iterator[Logged]:
    """A logger, and what it writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(SafeFormatter(LINE))
    logger = logging.getLogger("pman_core.test_log_lines")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, stream
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    ("char", "told"),
    [
        ("\n", r"\n"),
        ("\r", r"\r"),
        ("\x1b", r"\x1b"),
        ("\x9b", r"\x9b"),
        ("\u2028", r"\u2028"),
        ("\u202e", r"\u202e"),
        ("\u2066", r"\u2066"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_moves_a_cursor_is_escaped(char: str, told: str) -> None:
    assert escaped(f"a{char}b") == f"a{told}b"


def test_text_of_all_languages_stays_as_it_is() -> None:
    assert escaped("Jörg 日本語 שלום 😀") == "Jörg 日本語 שלום 😀"


def test_a_message_is_one_line(logged: Logged) -> None:
    logger, stream = logged
    logger.warning("job %s: %s", FORGED, ValueError(FORGED))
    assert stream.getvalue().count("\n") == 1
    assert "far\\n[2026" in stream.getvalue()


def test_no_line_of_a_traceback_looks_like_a_line_of_the_log(logged: Logged) -> None:
    logger, stream = logged
    try:
        raise ValueError(FORGED)
    except ValueError:
        logger.exception("a fault", stack_info=True)
    first, *more = stream.getvalue().splitlines()
    assert first.endswith("a fault")
    assert any("all jobs are lost" in line for line in more)
    assert all(line.startswith("  | ") for line in more)
