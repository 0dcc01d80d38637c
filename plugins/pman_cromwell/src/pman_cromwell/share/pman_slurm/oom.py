"""Whether the kernel killed something in a container for want of memory, with cgroup v1.

Podman 4.3 does not report that there (with v2 it does), and the container's cgroup goes with the
container. So the kernel is asked for a notice before the program starts: it writes to an eventfd
each time that the cgroup is out of memory, and once when it is removed (Linux,
``Documentation/admin-guide/cgroup-v1/memory.rst``, "OOM Control"; ``memcg_event_remove``).
"""

from __future__ import annotations

import ctypes
import os
import select
import sys
import threading

_ROOT = "/sys/fs/cgroup/memory"

#: How long the kernel's notice of the removal may come after the files of the cgroup have gone, and
#: how long their removal may come after the end of the container.
_NOTICE_S, _REMOVAL_S = 1.0, 5.0


def is_needed() -> bool:
    """Whether memory is limited by cgroup v1."""
    return os.path.isdir(_ROOT)


class Notices:
    """The kernel's notices of one container.

    :param pid: its first process.
    :raises OSError: the kernel gives none, for instance to a user who is not root.
    """

    def __init__(self, pid: int) -> None:
        folder = _ROOT + _group_of(pid)
        self._control = os.open(os.path.join(folder, "memory.oom_control"), os.O_RDONLY)
        self._event = ctypes.CDLL(None).eventfd(0, os.O_CLOEXEC)
        if self._event < 0:
            raise OSError("eventfd")
        with open(os.path.join(folder, "cgroup.event_control"), "w", encoding="ascii") as file:
            file.write(f"{self._event} {self._control}")
        self._happened = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def happened(self) -> bool | None:
        """After the container's end: whether it was out of memory; ``None`` if that is unknown."""
        self._reader.join(_REMOVAL_S)
        return None if self._reader.is_alive() else self._happened

    def _read(self) -> None:
        count, patience_s = 0, None
        while select.select([self._event], [], [], patience_s)[0]:
            count += int.from_bytes(os.read(self._event, 8), sys.byteorder)
            # One of the notices may be that of the removal.
            if count > 1 or not self._is_removed():
                self._happened = True
                return
            patience_s = _NOTICE_S

    def _is_removed(self) -> bool:
        try:
            os.pread(self._control, 1, 0)
        except OSError:
            return True
        return False


def _group_of(pid: int) -> str:
    """The memory cgroup of a process, from its root."""
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if "memory" in controllers.split(","):
                return path
    raise OSError("no memory cgroup")
