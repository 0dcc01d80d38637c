"""Whether a container that has not begun has the directories that were looked at.

What mounts them resolves their paths again, so a link may have taken the place of one meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .job_spec import Mount

#: As many links as the kernel follows (``MAXSYMLINKS``).
_MOST_LINKS = 40


def elsewhere(process: int, mounts: list[tuple[Mount, int]]) -> Mount | None:
    """The first directory that the container has from another place; ``None`` if all are right.

    :param process: one that has the mounts of the container.
    :param mounts: each with its directory, as it was opened before.
    """
    numbers: set[str] = set()
    root = f"/proc/{process}/root"
    with contextlib.ExitStack() as stack:
        for mount, handle in mounts:
            there = os.open(root + resolved(root, mount.target), os.O_PATH | os.O_CLOEXEC)
            stack.callback(os.close, there)
            number = _mount_number(there)
            # In a directory of the job another may be moved to where a mount was expected.
            if number in numbers or not os.path.samestat(os.fstat(there), os.fstat(handle)):
                return mount
            numbers.add(number)
    return None


def resolved(root: str, path: str) -> str:
    """``path`` without links, as they are for a process with this root."""
    found, left, links = "", path.split("/")[::-1], 0
    while left:
        part = left.pop()
        if part == "..":
            found = os.path.dirname(found).rstrip("/")
        elif part not in ("", "."):
            try:
                link = os.readlink(f"{root}{found}/{part}")
            except OSError as error:
                if error.errno != errno.EINVAL:  # it is no link
                    raise
                found += "/" + part
            else:
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                found = "" if link.startswith("/") else found
                left += link.split("/")[::-1]
    return found


def _mount_number(handle: int) -> str:
    """The kernel's number of the mount in which an open file lies."""
    with open(f"/proc/self/fdinfo/{handle}", encoding="ascii") as file:
        return next(line.split()[1] for line in file if line.startswith("mnt_id:"))
