"""Removes a job from the cluster, from Cromwell and from pman's records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pman_core.contract.errors import EngineUnavailableError
from pman_cromwell.client import Cromwell
from pman_cromwell.errors import RefusedError
from pman_cromwell.job_spec import JobSpec
from pman_cromwell.job_store import JobStore
from pman_cromwell.labels import REMOVED_MARK, is_removed, selector
from pman_cromwell.polling import until
from pman_cromwell.run_files import Cancelled

#: A workflow that Cromwell does not list after this time is gone: its summary is never so late.
_SUMMARY_DELAY = timedelta(minutes=10)


class Removal:
    """What ``pman_remove`` does.

    :param timeout_s: how long to wait for each of Cromwell and the node, in seconds.
    """

    def __init__(self, cromwell: Cromwell, store: JobStore, timeout_s: float) -> None:
        self._cromwell = cromwell
        self._store = store
        self._timeout_s = timeout_s

    def remove(self, spec: JobSpec) -> None:
        """End it, mark its workflow as removed, forget it; every step may be repeated."""
        self._store.cancel(spec, Cancelled(None, "removed", datetime.now(UTC)))
        self._cromwell.abort(spec.workflow)
        until(lambda: not self._store.is_running(spec), self._timeout_s)
        if self._label(spec):
            self._wait_for_mark(spec)
        self._store.delete(spec)

    def _label(self, spec: JobSpec) -> bool:
        """Mark the workflow; ``False`` where Cromwell has none.

        :raises EngineUnavailableError: it should have one, and does not list it.
        """
        try:
            if until(lambda: self._cromwell.label(spec.workflow, REMOVED_MARK), self._timeout_s):
                return True
        except RefusedError as refusal:
            if refusal.code != 400:
                raise
            return False  # it is in the archive: see labels.is_gone
        run = self._store.run_files(spec)
        old = datetime.now(UTC) - spec.created > _SUMMARY_DELAY
        if run is None or old or not run.accepted:
            return False
        raise _unlisted(spec)

    def _wait_for_mark(self, spec: JobSpec) -> None:
        """Until the next job of this id will see that this one was removed."""
        if not until(lambda: self._is_marked(spec), self._timeout_s):
            raise _unlisted(spec)

    def _is_marked(self, spec: JobSpec) -> bool:
        found = self._cromwell.query(selector(spec.instance, spec.name))
        return any(one.id == spec.workflow and is_removed(one) for one in found)


def _unlisted(spec: JobSpec) -> EngineUnavailableError:
    return EngineUnavailableError(
        f"Cromwell does not list the workflow {spec.workflow} of job {spec.jid!r}, "
        "so it cannot be marked as removed; try again later"
    )
