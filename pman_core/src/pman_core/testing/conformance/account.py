"""What a failed test shows of its jobs."""

from __future__ import annotations

import shlex

from pman_core.contract.info import JobInfo

#: What words in a job's log or message mean for the author of a plugin.
_HINTS = {
    "/share/": (
        "is there no /share/incoming and /share/outgoing? A backend whose jobs see the real "
        "directories declares Deviation.REAL_DIRECTORIES"
    ),
    "python3": "is there no python3 in the image? Subject.probe says how the probe is run",
}


def account_of(info: JobInfo, log: str, probe: tuple[str, ...]) -> str:
    """How a job ended, what it was to do, and what it wrote.

    :param log: the end of its log.
    :param probe: what runs the probe: a program of many lines, of which only the command matters
        something.
    """
    is_probe = info.argv[: len(probe)] == probe
    command = shlex.join(info.argv[len(probe) :] if is_probe else info.argv)
    lines = [
        f"job {info.jid}: {info.status}, reason {info.reason}, exit code {info.exit_code}",
        f"  message: {info.message}",
        f"  command: {'probe ' if is_probe else ''}{command}",
        *(f"  log: {line[-200:]}" for line in log.splitlines()),
        *(f"  hint: {hint}" for words, hint in _HINTS.items() if words in log + info.message),
    ]
    return "\n".join(lines)
