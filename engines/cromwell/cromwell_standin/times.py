"""The intervals at which Cromwell looks at things, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """All of them; ``None`` means never, or what the configuration file says."""

    #: Between two refreshes of the metadata summary: before the first a workflow answers 404.
    summary: float | None = None
    #: Between two looks for new workflows.
    pick_up: float | None = None
    #: How many workflows one such look picks up.
    launch_count: int | None = None
    #: How long a call waits for the token that lets it run.
    token: float = 1.0
    #: The first pause between two looks for a return code, the last, and how they grow.
    poll_first: float = 1.0
    poll_last: float = 300.0
    poll_factor: float = 1.1
    #: ``exit-code-timeout-seconds`` of the configuration file, if that is not to be used.
    exit_code_timeout: float | None = None
    #: When metadata goes into the archive after a workflow's end.
    archive_after: float | None = None


#: Cromwell's own defaults (core/src/main/resources/reference.conf), where no file says otherwise.
SUMMARY, PICK_UP, LAUNCH_COUNT = 1.0, 20.0, 1

#: As Cromwell does it.
REAL = Times()

#: The same order of events, in a hurry.
FAST = Times(
    summary=0.2,
    pick_up=0.1,
    launch_count=1,
    token=0.05,
    poll_first=0.1,
    poll_last=0.3,
    exit_code_timeout=2.0,
)
