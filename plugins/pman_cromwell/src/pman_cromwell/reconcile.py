"""What happens to a job: it is posted, looked at, given up, cancelled, removed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pman_core import Job, JobInfo, Reason, Status
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError, NameTakenError
from pman_core.kit.names import native_name
from pman_cromwell import payload
from pman_cromwell.client import Cromwell
from pman_cromwell.errors import Refused
from pman_cromwell.job_spec import Order, from_inputs, order_of
from pman_cromwell.job_store import Shelf
from pman_cromwell.polling import until
from pman_cromwell.removal import Removal
from pman_cromwell.responses import Found, Workflow
from pman_cromwell.run_files import Cancelled, Notes
from pman_cromwell.settings import CromwellSettings
from pman_cromwell.status import end_without_verdict, info_of

#: Cromwell's first word on a submission that is wrong (``PartialWorkflowSources.scala``).
_INVALID = "Error(s):"

_ABORTABLE = ("On Hold", "Submitted", "Running")


class Jobs:
    """The jobs of one pman instance; nothing is kept in memory.

    :param folder: the jobs folder of this instance, as the cluster sees it.
    """

    def __init__(
        self, cromwell: Cromwell, records: Shelf, settings: CromwellSettings, folder: str
    ) -> None:
        self._cromwell = cromwell
        self._records = records
        self._settings = settings
        self._removal = Removal(cromwell, records, settings)
        self._runs = f"{folder}/runs"

    def find(self, jid: str) -> Order | None:
        """The job of that id."""
        order = self._records.order(native_name(jid, self._settings.instance))
        return order if order and order.jid == jid else None

    # ------------------------------------------------------------ submitting

    def create(self, job: Job) -> Order | None:
        """A new job, not yet posted; ``None`` if another process made it meanwhile.

        :raises NameTakenError: its name belongs to somebody else.
        """
        name = native_name(job.jid, self._settings.instance)
        if self._records.is_foreign(name):
            raise NameTakenError(job.jid, name)
        found = self._workflows(name)
        alive = [one for one in found if not payload.is_gone(one)]
        if alive:
            self._adopt(alive[0])
            return None
        generations = [int(one.labels.get(payload.GENERATION_LABEL, "0")) for one in found]
        order = order_of(
            job,
            instance=self._settings.instance,
            generation=max(generations, default=-1) + 1,
            runs=self._runs,
            runtime=self._settings.runtime,
            created=datetime.now(UTC),
        )
        return order if self._records.create(order) else None

    def post(self, order: Order, env: Mapping[str, str], *, first: bool) -> None:
        """Hand the job to Cromwell; to do that again is harmless.

        :param first: this very call made the order, so nobody can have posted it long ago.
        :raises InvalidJobError: Cromwell does not take it.
        """
        try:
            self._cromwell.submit(
                order.workflow,
                payload.document(),
                payload.inputs(order, env, self._settings),
                payload.OPTIONS,
                payload.labels(order),
            )
        except Refused as refused:
            if first and _is_final(order, refused):
                self._records.delete(order)
                raise InvalidJobError(f"Cromwell refused the job: {refused.words}") from refused
            self._must_be_known(order, refused)
        self._records.accept(order)

    def must_be_posted(self, order: Order) -> bool:
        """Whether Cromwell is not known to have it, and is to have it."""
        notes = self._records.notes(order)
        return notes is None or not (notes.accepted or notes.cancelled)

    def _adopt(self, found: Found) -> None:
        """A workflow whose record is missing: write it anew."""
        workflow = self._cromwell.submitted(found.id)
        if workflow:
            order = _submitted_order(workflow.submitted_files.inputs)
            if order.workflow == found.id:
                self._records.create(order)
                self._records.accept(order)

    def _must_be_known(self, order: Order, refused: Refused) -> None:
        """Wait for the summary; the record stays, since a job may run by it.

        :raises EngineUnavailableError: Cromwell does not list it in time, or it is being removed.
        """
        timeout_s = self._settings.engine_timeout_s
        if until(lambda: self._cromwell.status(order.workflow), timeout_s) is None:
            raise EngineUnavailableError(
                f"Cromwell refused job {order.jid!r}, as it does with one that it has, and does "
                f"not list it; submit it again, or remove it. It said: {refused.words}"
            ) from refused
        for one in self._workflows(order.name):
            if one.id == order.workflow and payload.REMOVED_LABEL in one.labels:
                raise EngineUnavailableError(f"job {order.jid!r} is still being removed")

    # -------------------------------------------------------------- looking

    def look(self, order: Order, *, listing: bool = False) -> JobInfo | None:
        """The job as it is; ``None`` if it has been removed meanwhile.

        :param listing: what cannot be written down of this job is no fault of the whole list.
        """
        notes = self._records.notes(order)
        if notes is None:
            return None
        now = datetime.now(UTC)
        workflow = None if notes.verdict else self._workflow(order)
        if notes.cancelled and notes.verdict is None and _is_abortable(workflow):
            self._cromwell.abort(order.workflow)  # before it is told to have ended
        if notes.verdict is None:
            try:
                notes = self._settled(order, workflow, notes, now)
            except EngineUnavailableError:
                if not listing:
                    raise
        info = info_of(order, workflow, notes, now)
        waited_s = (now - order.created).total_seconds()
        limit_s = self._settings.start_deadline_s
        if info.status is Status.NOT_STARTED and waited_s > limit_s and not notes.cancelled:
            message = f"ended: it waited for more than {limit_s} s to start ({info.message})"
            self._records.cancel(order, Cancelled(Reason.START_DEADLINE, message, now))
            return self.look(order, listing=listing)
        return info

    def _workflow(self, order: Order) -> Workflow | None:
        """As cheaply as it can be had."""
        workflow = self._cromwell.status(order.workflow)
        if workflow and workflow.has_ended:
            return self._cromwell.state(order.workflow)
        return workflow

    def _settled(
        self, order: Order, workflow: Workflow | None, notes: Notes, now: datetime
    ) -> Notes:
        """The notes with an end in them, where there will be no other than Cromwell's."""
        verdict = end_without_verdict(order, workflow, notes, now)
        if verdict is None:
            return notes
        self._records.settle(order, verdict)
        return self._records.notes(order) or notes

    # --------------------------------------------------------------- ending

    def cancel(self, order: Order) -> JobInfo | None:
        """End it and keep it; ``None`` if it has been removed meanwhile. It may be repeated.

        :raises EngineUnavailableError: it has not ended in time.
        """
        info = self.look(order)
        if info and not info.status.is_final:
            cancelled = Cancelled(Reason.CANCELLED, "cancelled", datetime.now(UTC))
            self._records.cancel(order, cancelled)
        if self._is_leaving(order):
            self.remove(order)
            return None
        timeout_s = self._settings.engine_timeout_s
        if not until(lambda: self._is_over(order), timeout_s):
            raise EngineUnavailableError(
                f"job {order.jid!r} did not end within {timeout_s:g} s; cancel it again"
            )
        return self.look(order)

    def _is_leaving(self, order: Order) -> bool:
        """Whether somebody began to remove it."""
        notes = self._records.notes(order)
        return bool(notes and notes.cancelled and notes.cancelled.reason is None)

    def _is_over(self, order: Order) -> bool:
        info = self.look(order)
        return info is None or (info.status.is_final and not self._records.is_running(order))

    def resume(self) -> None:
        """Go on with the removals and the ends that a killed pman began."""
        self._records.sweep()
        for name in self._records.unended():
            order = self._records.order(name)
            if order:
                self.look(order)

    def remove(self, order: Order) -> None:
        """End it and forget it; every step may be repeated."""
        self._removal.remove(order)

    def _workflows(self, name: str) -> list[Found]:
        return self._cromwell.query(payload.asked(self._settings.instance, name))


def _submitted_order(inputs: str) -> Order:
    """The order of a workflow that carries our labels.

    :raises EngineUnavailableError: it has none, or its metadata is in the archive.
    """
    try:
        return from_inputs(inputs)
    except ValueError as error:
        raise EngineUnavailableError(
            "Cromwell does not give the inputs of a workflow with pman's labels: "
            "its metadata is archived, or somebody else set the labels"
        ) from error


def _is_abortable(workflow: Workflow | None) -> bool:
    """What Cromwell does not list yet, it may have."""
    return workflow is None or workflow.status in _ABORTABLE


def _is_final(order: Order, refused: Refused) -> bool:
    """Whether Cromwell has looked at the job and will never take it.

    Others may refuse as well: a proxy, or Cromwell's database, which has the id already. Of those
    MySQL and PostgreSQL name the id, HSQLDB does not.
    """
    words = refused.words
    return refused.code == 400 and words.startswith(_INVALID) and order.workflow not in words
