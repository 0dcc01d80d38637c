"""Looks at directories of the storebase, whose file server may hang, as NFS does."""

from __future__ import annotations

import os
import queue
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.deadline import left

T = TypeVar("T")

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
        return self._ask(path, lambda: stat.S_ISDIR(mode(path)), missing=False)

    def holds_anything(self, path: Path) -> bool:
        """Whether there is such a directory, and something in it.

        :raises EngineUnavailableError: that cannot be found out now.
        """
        return self._ask(path, lambda: is_filled(path), missing=False)

    def link_fault(self, root: str, directory: str) -> str | None:
        """What is wrong with a directory below ``root`` that is a link, or leads through one.

        ``None`` where nothing is, where there is no such directory, and where this machine does
        not see ``root``. It holds for the moment of the look: a link may be made later.

        :param directory: relative, without ``..`` and empty parts.
        :raises EngineUnavailableError: that cannot be found out now.
        """
        path = Path(root, directory)
        return self._ask(path, lambda: link_fault(root, directory), missing=None)

    def _ask(self, path: Path, look: Callable[[], T], missing: T) -> T:
        """The answer of a look; ``missing`` where there is no such path."""
        if not self._free.acquire(timeout=_TURN_S):
            raise EngineUnavailableError(
                f"{path} cannot be looked at: {_AT_ONCE} earlier looks have no answer yet; does "
                "its server hang?"
            )
        answers: queue.SimpleQueue[T | OSError] = queue.SimpleQueue()

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
            return missing
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


def link_fault(root: str, directory: str) -> str | None:
    """The same; this may never return.

    Each part is opened from the one before and without following links, so that a part that is
    exchanged meanwhile cannot lead elsewhere. As no part is ``..``, that is what openat2(2) does
    with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, on every kernel and behind every seccomp filter.
    """
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder = os.open(root, flags & ~os.O_NOFOLLOW)
    except PermissionError:
        return None
    parts = directory.split("/")
    try:
        for number, part in enumerate(parts, start=1):
            try:
                below = os.open(part, flags, dir_fd=folder)
            except NotADirectoryError:
                if stat.S_ISREG(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode):
                    return None
                return f"leads through a link, which pman does not follow: {_shown(parts, number)}"
            except PermissionError:
                if number == 1:
                    return None
                return f"cannot be looked at, so it may be a link: {_shown(parts, number)}"
            os.close(folder)
            folder = below
    finally:
        os.close(folder)
    return None


def _shown(parts: list[str], number: int) -> str:
    return repr("/".join(parts[:number]))
