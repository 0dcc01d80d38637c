"""What a program says on stderr while it gets an image."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable

#: How the error begins that Podman or Apptainer ends with.
_ERROR = re.compile(r"^(Error|FATAL): .*", re.MULTILINE | re.DOTALL)

#: What Podman 4.3 logs before it tries again itself (containers/common ``pkg/retry``), in a line of
#: ``msg="..."``.
_RETRY = re.compile(r'msg="Failed, retrying in .*?(Error: .*)"')


class PullOutput:
    """Reads them all, however much it is, and keeps the end.

    :param on_retry: called in another thread with each error after which the program itself tries
        again.
    """

    def __init__(self, process: subprocess.Popen[bytes], on_retry: Callable[[str], None]) -> None:
        self._said = b""
        self._process = process
        self._on_retry = on_retry
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def end(self) -> str:
        """The error that it ends with, which may be several lines, or else its last line."""
        self._reader.join(5.0)
        said = self._said.decode(errors="replace").strip()
        error = _ERROR.search(said)
        return _short(error.group() if error else (said.splitlines() or ["no reason given"])[-1])

    def _read(self) -> None:
        assert self._process.stderr  # noqa: S101 - it is a pipe
        with self._process.stderr as lines:
            for line in lines:
                self._said = (self._said + line)[-4096:]
                retry = _RETRY.search(line.decode(errors="replace"))
                if retry:
                    self._on_retry(_short(retry.group(1)))


def _short(words: str) -> str:
    return " ".join(words.split())[:1000]
