"""A process that an old command started, as a test sees it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import attrs
from rest_helpers import until


@attrs.frozen
class Started:
    """A process, and all that it has said."""

    process: subprocess.Popen[bytes]
    output: Path

    def said(self) -> str:
        return self.output.read_text()

    def port(self) -> int:
        """Where it listens, once it says so."""
        words = r"(?:Listening at: |/api/v1/.*|on )http://[^:]+:(\d+)"
        told = until(lambda: re.search(words, self.said()) or self.process.poll(), bool)
        assert isinstance(told, re.Match), self.said()
        return int(told[1])

    def exit_code(self) -> int:
        return self.process.wait(timeout=60)


Start = Callable[..., Started]
