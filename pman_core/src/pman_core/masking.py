"""Keeps the values of a job's environment, which may be tokens, out of errors and logs.

Plugins must not quote them; where one does all the same, this is the second line of defence.
"""

from __future__ import annotations

import traceback

from pman_core.errors import ClientError
from pman_core.job import Job

#: Shorter values are words like "yes" and "1000", which messages hold for other reasons.
_SHORTEST = 8

_MASK = "***"


def masked(text: str, job: Job) -> str:
    """``text`` without the values of the job's environment, plain or as Python quotes them."""
    values = {value for value in job.env.values() if len(value) >= _SHORTEST}
    quoted = {repr(value)[1:-1] for value in values}
    for value in sorted(values | quoted, key=len, reverse=True):
        text = text.replace(value, _MASK)
    return text


def mask(error: Exception, job: Job) -> None:
    """Take the values of the job's environment out of what ``error`` tells a client."""
    error.args = tuple(masked(arg, job) if isinstance(arg, str) else arg for arg in error.args)
    if isinstance(error, ClientError):
        error.faults = {field: masked(text, job) for field, text in error.faults.items()}


def masked_trace(error: Exception, job: Job | None) -> str:
    """``error`` with its traceback and causes, for the log."""
    text = "".join(traceback.format_exception(error))
    return (masked(text, job) if job else text).rstrip()
