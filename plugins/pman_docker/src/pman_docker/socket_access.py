"""Says who may use a socket that this process may not use."""

from __future__ import annotations

import os
import stat


def who_may_use(path: str) -> str:
    """Why this process may not use the socket at ``path``, and what an operator does about it."""
    mine = f"uid {os.geteuid()}"
    try:
        found = os.stat(path)
    except OSError as error:
        return f"{mine} may not look at {path}: {error.strerror}"
    owner, group = found.st_uid, found.st_gid
    if group and found.st_mode & stat.S_IWGRP:
        return (
            f"{mine} may not use {path}, but group {group} may: run pman's container with "
            f'--group-add {group} (Compose: group_add: ["{group}"]), or add pman\'s user to that '
            "group"
        )
    return (
        f"{mine} may not use {path}, but uid {owner} may: run pman as that user (docker run "
        f"--user {owner}), or give the socket to a group of its own"
    )
