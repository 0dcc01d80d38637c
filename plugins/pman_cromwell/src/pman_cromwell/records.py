"""What pman remembers of its jobs: one interface, for a pman that sees the jobs folder or not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pman_cromwell.notes import Cancelled, Notes, Verdict
from pman_cromwell.order import Order


class Records(Protocol):
    """Orders by their names, and the notes of their runs.

    All methods may raise :class:`~pman_core.contract.errors.EngineUnavailableError`.
    """

    def check(self) -> None:
        """Whether they can be used now; for ``pman check``."""

    def names(self) -> Iterable[str]:
        """Those of all jobs."""

    def order(self, name: str) -> Order | None:
        """The job of that name, if it is this pman's."""

    def is_foreign(self, name: str) -> bool:
        """Whether something else has that name."""

    def create(self, order: Order) -> bool:
        """Keep a new job; ``False`` if its name is taken. Of several at once one succeeds."""

    def accept(self, order: Order) -> None:
        """Cromwell has taken the job. Afterwards ``order`` finds it, also for other processes."""

    def notes(self, order: Order) -> Notes | None:
        """The notes of its run; ``None`` if the job has been removed meanwhile."""

    def is_running(self, order: Order) -> bool:
        """Whether its batch job goes on, as far as can be seen."""

    def cancel(self, order: Order, why: Cancelled) -> None:
        """Keep the run from beginning, or end it; the first word stands, and ``notes`` tells it."""

    def unended(self) -> Iterable[str]:
        """The names of those that pman has ended or cancelled, and that may run all the same."""

    def settle(self, order: Order, verdict: Verdict) -> None:
        """Write an end down that the cluster did not; the first one stands."""

    def delete(self, order: Order) -> None:
        """Forget a job whose workflow is marked as removed."""

    def sweep(self) -> None:
        """Delete what a removal left that was not brought to its end."""

    def log(self, order: Order, tail_lines: int, max_bytes: int) -> bytes:
        """The end of what the job wrote."""
