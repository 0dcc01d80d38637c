"""The files of a run as values; ``share/pman_slurm/run_files.py`` names them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import attrs
from cattrs import Converter

from pman_core import Reason
from pman_core.kit.outcome import Outcome

T = TypeVar("T")

# pman's own; the others are written on the cluster.
ACCEPTED = "accepted"
CANCELLED = "cancelled"

BEGUN = "begun"
ENDED = "verdict.json"


@attrs.frozen
class Ended:
    """How a run ended, and when, as the cluster writes it; a success has no reason."""

    reason: Reason | None
    message: str
    code: int | None
    time: datetime

    @classmethod
    def with_outcome(cls, outcome: Outcome, time: datetime) -> Ended:
        """The end with that outcome."""
        return cls(outcome.reason, outcome.message, outcome.exit_code, time)

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        return Outcome(self.message, self.reason, self.code)


@attrs.frozen
class Cancelled:
    """That pman ended the job, and why.

    :param reason: why the job is reported to have failed; ``None`` if it is being removed.
    """

    reason: Reason | None
    message: str
    time: datetime

    @classmethod
    def because(cls, outcome: Outcome, time: datetime) -> Cancelled:
        """What ends a job with that outcome, which is a failure."""
        return cls(outcome.reason, outcome.message, time)

    @property
    def outcome(self) -> Outcome:
        """How a job ends that pman ended; not of one that is being removed."""
        return Outcome(self.message, self.reason)


@attrs.frozen
class Waiting:
    """Why SLURM lets a job wait; the reason is SLURM's term.

    :param job: its number; empty where SLURM has not taken it yet.
    """

    job: str
    reason: str


@attrs.frozen
class Trouble:
    """Why an image or a container cannot be had now."""

    reason: Reason
    message: str


@attrs.frozen
class Started:
    """When the first worker began."""

    time: datetime


@attrs.frozen
class Suspended:
    """Since when SLURM suspends the job."""

    time: datetime


@attrs.frozen(kw_only=True)
class RunFiles:
    """All that is known of a run besides what Cromwell knows.

    :param begun: whether the batch job began on its node; the image may still be on its way.
    """

    accepted: bool = False
    begun: bool = False
    pulling: bool = False
    cancelled: Cancelled | None = None
    waiting: Waiting | None = None
    trouble: Trouble | None = None
    started: Started | None = None
    suspended: Suspended | None = None
    ended: Ended | None = None


def read(folder: Path) -> RunFiles:
    """The files of a run.

    :raises OSError: the folder cannot be read.
    """
    names = set(os.listdir(folder))

    def content(name: str, kind: type[T]) -> T | None:
        return _structured((folder / name).read_text(), kind) if name in names else None

    return RunFiles(
        accepted=ACCEPTED in names,
        begun=BEGUN in names,
        pulling="pulling.json" in names,
        cancelled=content(CANCELLED, Cancelled),
        waiting=content("waiting.json", Waiting),
        trouble=content("trouble.json", Trouble),
        started=content("started.json", Started),
        suspended=content("suspended.json", Suspended),
        ended=content(ENDED, Ended),
    )


def as_json(value: Cancelled | Ended) -> str:
    """The content of its file."""
    return json.dumps(_converter().unstructure(value))


def _structured(written: str, kind: type[T]) -> T | None:
    """What a file says; ``None`` if that makes no sense, as if it had not been written."""
    try:
        return _converter().structure(json.loads(written), kind)
    except Exception:  # cattrs raises groups of whatever the parts raised
        return None


@cache
def _converter() -> Converter:
    converter = Converter()
    converter.register_structure_hook(datetime, _time_of)
    converter.register_unstructure_hook(datetime, _seconds)
    return converter


def _time_of(value: Any, _: Any) -> datetime:
    return datetime.fromtimestamp(float(value), UTC)


def _seconds(value: datetime) -> float:
    return value.timestamp()
