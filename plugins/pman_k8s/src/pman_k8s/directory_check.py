"""Looks at directories whose file server may hang, as NFS does."""

from __future__ import annotations

import os
import queue
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.deadline import left

#: How many looks may wait for an answer at once, each with a request: fewer than pman's threads.
_AT_ONCE = 4

#: Seconds that a look waits for its turn; enough while the server answers.
_TURN_S = 1.0


class DirectoryChecker:
    """Looks in threads of its own, since a look at a server that hangs cannot be ended.

    :param timeout_s: how long to wait for an answer.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._free = threading.BoundedSemaphore(_AT_ONCE)

    def is_dir(self, path: Path) -> bool:
        """Whether there is such a directory.

        :raises EngineUnavailableError: that cannot be found out now.
        """
        return self._ask(path, lambda: stat.S_ISDIR(mode(path)))

    def holds_anything(self, path: Path) -> bool:
        """Whether there is such a directory, and something in it.

        :raises EngineUnavailableError: that cannot be found out now.
        """
        return self._ask(path, lambda: is_filled(path))

    def _ask(self, path: Path, look: Callable[[], bool]) -> bool:
        """The answer of a look; ``False`` where there is no such path."""
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
    """The mode of a file; this may never return."""
    return os.stat(path).st_mode


def is_filled(path: Path) -> bool:
    """Whether a directory has an entry; this may never return."""
    with os.scandir(path) as entries:
        return any(True for _ in entries)
