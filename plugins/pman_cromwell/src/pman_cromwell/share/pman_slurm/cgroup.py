"""Whether the kernel killed something of this very SLURM step for want of memory."""

from __future__ import annotations

import os
import re

_ROOT = "/sys/fs/cgroup"


def oom_kills() -> int | None:
    """How many processes of this process's cgroup the kernel has killed; ``None`` if unknown.

    Version 1 has the number in ``memory.oom_control``, version 2 in ``memory.events``.
    """
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            groups = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return None
    for _, controllers, path in groups:
        if "memory" in controllers.split(","):
            return _count(os.path.join(_ROOT, "memory", path.lstrip("/"), "memory.oom_control"))
    for number, _, path in groups:
        if number == "0":
            return _count(os.path.join(_ROOT, path.lstrip("/"), "memory.events"))
    return None


def _count(path: str) -> int | None:
    try:
        with open(path, encoding="utf-8") as file:
            found = re.search(r"^oom_kill (\d+)$", file.read(), re.MULTILINE)
    except OSError:
        return None
    return int(found.group(1)) if found else None
