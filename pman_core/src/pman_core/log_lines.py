"""Lines of pman's log: what comes from outside cannot look like a line of its own.

Ids of jobs, images, the words of engines and of registries may hold newlines, escape sequences for
terminals and marks that turn the direction of text, and libraries quote addresses with passwords.
Here, where lines are made, no call can forget to escape the ones and to take out the others.
"""

from __future__ import annotations

import logging

from pman_core.kit.logins import without_logins
from pman_core.kit.printable import escaped

#: How lines look: the time, the process, the level.
LINE, TIME = "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s", "%Y-%m-%d %H:%M:%S %z"

#: Before each line of a traceback, which has several.
_MORE = "  | "


class SafeFormatter(logging.Formatter):
    """Makes one line of each message; a traceback follows in lines that show whose they are."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, with everything in the message escaped that moves a cursor."""
        record.message = escaped(without_logins(record.message))
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:
        """The traceback."""
        text = super().formatException(ei)  # type: ignore[arg-type]
        return _indented(text)

    def formatStack(self, stack_info: str) -> str:
        """The stack."""
        return _indented(super().formatStack(stack_info))


def log_to_stderr() -> None:
    """Send the log of this process to stderr, in these lines, unless it goes somewhere already."""
    handler = logging.StreamHandler()
    handler.setFormatter(SafeFormatter(LINE, TIME))
    logging.basicConfig(handlers=[handler])


def _indented(text: str) -> str:
    return "\n".join(_MORE + escaped(line) for line in without_logins(text).split("\n"))
