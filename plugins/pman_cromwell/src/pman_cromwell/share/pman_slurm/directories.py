"""Opens the directories of a job: no link leads elsewhere, and what is opened stays the same.

Links are what ``pman_core.kit.directories`` takes them for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import stat
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from .outcome import CannotStartError
from .run_files import retry

if TYPE_CHECKING:
    from .job_spec import Mount

T = TypeVar("T")

#: How long a directory is waited for that is neither seen nor seen to be missing.
_PATIENCE_S = 60.0

_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


@contextlib.contextmanager
def opened(mounts: list[Mount], records: str) -> Iterator[list[tuple[Mount, int]]]:
    """These mounts, each with its directory, which is open.

    pman has checked the paths. A storebase, and a directory that may lead through links, can still
    lead into its records.

    :param records: the folder of pman's own records.
    :raises CannotStartError: one is missing, leads through a link, or is not for jobs.
    """
    own = os.path.realpath(records)
    with contextlib.ExitStack() as stack:
        found = []
        for mount in mounts:
            handle = open_directory(mount.source, mount.within)
            stack.callback(os.close, handle)
            found.append((mount, handle))
            source = os.readlink(f"/proc/self/fd/{handle}")
            if os.path.commonpath([own, source]) in (own, source):
                raise CannotStartError(
                    f"the directory {mount.source} leads into pman's own records, or holds them"
                )
        yield found


def open_directory(path: str, within: str = "") -> int:
    """A handle that is good for its directory alone; it is never made.

    :param within: the folder below which no part of the path may be a link; empty: any may.
    :raises CannotStartError: there is no such directory, or it cannot be used here.
    """
    node = f"node {platform.node()}"
    try:
        return patiently(lambda: _open(path, within))
    except OSError as error:
        if _is_missing(error):
            raise CannotStartError(f"there is no directory {path} on {node}") from error
        words = f"the directory {path} cannot be used on {node}: {error.strerror}"
        raise CannotStartError(words) from error


def patiently(look: Callable[[], T]) -> T:
    """Look at directories, again while storage neither shows them nor says that one is missing.

    :raises OSError: one is missing, or cannot be seen for too long.
    """
    return retry(look, _is_missing, _PATIENCE_S)


def _is_missing(error: OSError) -> bool:
    return error.errno in (errno.ENOENT, errno.ENOTDIR)


def _open(path: str, within: str) -> int:
    """Each part is opened from the one before, which nobody can exchange any more."""
    if not within:
        return os.open(path, _FLAGS)
    parts = path[len(within) :].strip("/").split("/")
    folder = os.open(within, _FLAGS)
    for number, part in enumerate(parts, start=1):
        try:
            below = os.open(part, _FLAGS | os.O_NOFOLLOW, dir_fd=folder)
        except NotADirectoryError:
            if stat.S_ISREG(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode):
                raise
            link = "/".join(parts[:number])
            raise CannotStartError(
                f"the directory {path} leads through a link, which pman does not follow: {link!r}"
            ) from None
        finally:
            os.close(folder)
        folder = below
    return folder
