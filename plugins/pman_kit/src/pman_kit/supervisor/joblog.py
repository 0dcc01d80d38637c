"""The log of a job: a pipe into a file that stays bounded."""

from __future__ import annotations

import os
import select

from pman_kit.layout import LOG, OLD_LOG

_CHUNK = 1 << 18


class Log:
    """The log of a job: what comes through a pipe goes to a file that stays bounded.

    A pipe, because the job could cut a file off by opening ``/dev/stderr`` for writing.
    """

    def __init__(self, folder: int, max_bytes: int) -> None:
        self.source, self.for_job = os.pipe()
        os.set_blocking(self.source, False)
        self.fault = ""
        self._folder, self._max_bytes = folder, max_bytes
        self._file, self._size = self._new_file(), 0

    def copy(self) -> bool:
        """Copy a piece; whether more can come at all."""
        try:
            piece = os.read(self.source, _CHUNK)
        except BlockingIOError:
            return True
        try:
            self._write(memoryview(piece))
        except OSError as error:  # a full disk must not fail the job
            self.fault = f" (its log is incomplete: {error.strerror})"
        return bool(piece)

    def drain(self) -> None:
        """Copy what the pipe still holds, when no process writes any more."""
        while select.select([self.source], [], [], 0)[0] and self.copy():
            pass

    def _write(self, piece: memoryview) -> None:
        self._size += len(piece)
        while piece:
            piece = piece[os.write(self._file, piece) :]
        if self._size * 2 > self._max_bytes:
            os.rename(LOG, OLD_LOG, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            full, self._file, self._size = self._file, self._new_file(), 0
            os.close(full)

    def _new_file(self) -> int:
        return os.open(LOG, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=self._folder)
