"""Looks at directories of a server that may hang, as NFS does."""

from __future__ import annotations

import os
import queue
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.deadline import left

#: How many looks may wait for an answer, and so hold up a request: fewer than pman has threads.
_AT_ONCE = 4

#: Seconds that a look waits for its turn, which is plenty while the server answers.
_TURN_S = 1.0


class DirectoryChecker:
    """Looks in threads of its own, since nothing ends a look at a server that hangs.

    :param timeout_s: how long to wait for an answer.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._free = threading.BoundedSemaphore(_AT_ONCE)

    def is_dir(self, path: Path) -> bool:
        """Whether there is such a directory.

        :raises EngineUnavailableError: nobody can tell now.
        """
        return self._ask(path, lambda: stat.S_ISDIR(mode(path)))

    def holds_anything(self, path: Path) -> bool:
        """Whether there is such a directory, and something in it.

        :raises EngineUnavailableError: nobody can tell now.
        """
        return self._ask(path, lambda: is_filled(path))

    def _ask(self, path: Path, look: Callable[[], bool]) -> bool:
        """What a look says; ``False`` where there is no such path."""
        if not self._free.acquire(timeout=_TURN_S):
            raise EngineUnavailableError(
                f"{path} cannot be looked at: {_AT_ONCE} earlier looks have no answer yet; does "
                "its server hang?"
            )
        answers: queue.SimpleQueue[bool | OSError] = queue.SimpleQueue()

        def answer_it() -> None:
            try:
                answers.put(look())
            except OSError as error:
                answers.put(error)
            finally:
                self._free.release()

        try:
            threading.Thread(target=answer_it, name="pman-look", daemon=True).start()
        except RuntimeError as error:  # this machine has no thread left
            self._free.release()
            raise EngineUnavailableError(f"{path} cannot be looked at: {error}") from error
        try:
            answer = answers.get(timeout=left(self._timeout_s))
        except (queue.Empty, TimeoutError):
            raise EngineUnavailableError(
                f"{path} cannot be looked at: no answer in time; does its server hang?"
            ) from None
        if isinstance(answer, (FileNotFoundError, NotADirectoryError)):
            return False
        if isinstance(answer, OSError):
            raise EngineUnavailableError(
                f"{path} cannot be looked at: {answer.strerror}"
            ) from answer
        return answer


def mode(path: Path) -> int:
    """What kind of file a path is; nobody knows when this returns."""
    return os.stat(path).st_mode


def is_filled(path: Path) -> bool:
    """Whether a directory has an entry; nobody knows when this returns."""
    with os.scandir(path) as entries:
        return any(True for _ in entries)
