"""What comes from outside cannot forge lines of the log."""

import io
import logging
from collections.abc import Iterator

import pytest

from pman_core.log_lines import LINE, SafeFormatter

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
