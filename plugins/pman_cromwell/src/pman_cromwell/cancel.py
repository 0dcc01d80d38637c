"""Ends a job and keeps it."""

from __future__ import annotations

from datetime import UTC, datetime

from pman_core import JobInfo
from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit import outcome
from pman_cromwell.job_spec import JobSpec
from pman_cromwell.job_store import JobStore
from pman_cromwell.polling import until
from pman_cromwell.reconcile import Reconciler
from pman_cromwell.removal import Removal
from pman_cromwell.run_files import Cancelled


class Cancellation:
    """What ``pman_cancel`` does.

    :param timeout_s: how long to wait for the end, in seconds.
    """

    def __init__(
        self, store: JobStore, jobs: Reconciler, removal: Removal, timeout_s: float
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._removal = removal
        self._timeout_s = timeout_s

    def cancel(self, spec: JobSpec) -> JobInfo | None:
        """End it and keep it; ``None`` if it has been removed meanwhile. It may be repeated.

        :raises EngineUnavailableError: it has not ended in time.
        """
        info = self._jobs.look(spec)
        if info and not info.status.is_final:
            why = Cancelled.because(outcome.cancelled(), datetime.now(UTC))
            self._store.cancel(spec, why)
        if self._is_deleting(spec):
            self._removal.remove(spec)
            return None
        if not until(lambda: self._is_over(spec), self._timeout_s):
            raise EngineUnavailableError(
                f"job {spec.jid!r} did not end within {self._timeout_s:g} s; cancel it again"
            )
        return self._jobs.look(spec)

    def _is_deleting(self, spec: JobSpec) -> bool:
        """Whether somebody began to remove it."""
        run = self._store.run_files(spec)
        return bool(run and run.cancelled and run.cancelled.reason is None)

    def _is_over(self, spec: JobSpec) -> bool:
        info = self._jobs.look(spec)
        return info is None or (info.status.is_final and not self._store.is_running(spec))
