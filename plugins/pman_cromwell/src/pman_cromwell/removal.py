"""Removes a job from the cluster, from Cromwell and from pman's records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pman_core.contract.errors import EngineUnavailableError
from pman_cromwell import payload
from pman_cromwell.client import Cromwell
from pman_cromwell.errors import Refused
from pman_cromwell.job_spec import Order
from pman_cromwell.job_store import Shelf
from pman_cromwell.polling import until
from pman_cromwell.run_files import Cancelled
from pman_cromwell.settings import CromwellSettings

#: A workflow that Cromwell does not list after this time is gone: its summary is never so late.
_SUMMARY_DELAY = timedelta(minutes=10)


class Removal:
    """The end of a job for good."""

    def __init__(self, cromwell: Cromwell, records: Shelf, settings: CromwellSettings) -> None:
        self._cromwell = cromwell
        self._records = records
        self._timeout_s = settings.engine_timeout_s

    def remove(self, order: Order) -> None:
        """End it, mark its workflow as removed, forget it; every step may be repeated."""
        self._records.cancel(order, Cancelled(None, "removed", datetime.now(UTC)))
        self._cromwell.abort(order.workflow)
        until(lambda: not self._records.is_running(order), self._timeout_s)
        if self._label(order):
            self._wait_for_mark(order)
        self._records.delete(order)

    def _label(self, order: Order) -> bool:
        """Mark the workflow; ``False`` where Cromwell has none.

        :raises EngineUnavailableError: it should have one, and does not list it.
        """
        marks = {payload.REMOVED_LABEL: "yes"}
        try:
            if until(lambda: self._cromwell.label(order.workflow, marks), self._timeout_s):
                return True
        except Refused as refused:
            if refused.code != 400:
                raise
            return False  # it is in the archive: see payload.is_gone
        notes = self._records.notes(order)
        old = datetime.now(UTC) - order.created > _SUMMARY_DELAY
        if notes is None or old or not notes.accepted:
            return False
        raise _unlisted(order)

    def _wait_for_mark(self, order: Order) -> None:
        """Until the next job of this id will see that this one was removed."""
        if not until(lambda: self._is_marked(order), self._timeout_s):
            raise _unlisted(order)

    def _is_marked(self, order: Order) -> bool:
        found = self._cromwell.query(payload.asked(order.instance, order.name))
        return any(
            one.id == order.workflow and payload.REMOVED_LABEL in one.labels for one in found
        )


def _unlisted(order: Order) -> EngineUnavailableError:
    return EngineUnavailableError(
        f"Cromwell does not list the workflow {order.workflow} of job {order.jid!r}, "
        "so it cannot be marked as removed; try again later"
    )
